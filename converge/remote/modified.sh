# What chezmoi would make of a KDE file that holds the given bytes, by the file's modify_ source: asked
# in a directory of its own, so nothing of the home is read or written but by the source itself.
#
# usage: modified.sh TARGET <BYTES   base64
# Prints "made FRAME" (common.sh): the bytes, or why chezmoi has none.
SOURCE_S=20 # a source is a program of the user's
case $1 in "$HOME"/*) name=${1#"$HOME"/} ;; *) stop 64 "$1: is not in the home" ;; esac
program=$(command -v chezmoi) || stop 70 "chezmoi is not found here"
chezmoi() { timeout -k 2 "$SOURCE_S" "$program" "$@"; }
place=$(mktemp -d) || stop 70 "no temporary directory can be made"
trap 'rm -rf -- "$place"' EXIT
trap 'exit 70' HUP INT TERM
mkdir -p -- "$place/home/$name"
rmdir -- "$place/home/$name"
base64 -d >"$place/home/$name" || stop 70 "$place: cannot be written"
say made "$(frame cm cat --destination "$place/home" "$place/home/$name")"
