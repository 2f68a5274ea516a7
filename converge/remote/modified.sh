# Print what a modify_ source of chezmoi's makes of a KDE file with the given bytes. chezmoi runs in a
# directory of its own, so only the source itself may read or write in the home.
#
# usage: modified.sh TARGET <BYTES   base64
# Prints "made FRAME" (common.sh): the bytes, or chezmoi's error.
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
