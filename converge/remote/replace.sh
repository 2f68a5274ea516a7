# Replace one file: stage beside the target, sync, look again, rename. A part of write.sh and of the
# programs with restore.sh; each function sets "why" on failure.
# shellcheck shell=sh disable=SC2034,SC2154
why=''

digest() { # digest PATH: sha256 of a file, "absent", or "unreadable"
    if [ -e "$1" ] && [ ! -f "$1" ]; then
        # A FIFO would block for ever.
        say unreadable
    elif sum=$(sha256sum 2>/dev/null <"$1"); then
        say "${sum%% *}"
    elif [ -e "$1" ] || [ -L "$1" ]; then
        say unreadable
    else
        say absent
    fi
}
unchanged() { # unchanged DIGEST PATH
    case $1 in
        absent) [ ! -e "$2" ] && [ ! -L "$2" ] ;;
        unreadable) [ "$(digest "$2")" = unreadable ] ;;
        *) [ -f "$2" ] && sum=$(sha256sum 2>/dev/null <"$2") && [ "${sum%% *}" = "$1" ] ;;
    esac
}
# shellcheck disable=SC2154 # of whoever stages something
staged() { stage_=${1%/*}/.${1##*/}.wt-$run; } # staged PATH: set "stage_", the path of the staged file
private_=$newline
# private DIRECTORY: whether no other user can replace what lies there; else "swapped_". Each directory is
# looked at once.
private() {
    case $private_ in *"$newline$1$newline"*) return 0 ;; esac
    if swappable "$1" >/dev/null; then return 1; fi
    private_=$private_$1$newline
}
# ours PATH: whether a rename may replace what is at PATH.
ours() {
    if [ ! -d "${1%/*}" ]; then
        why="${1%/*}: not a directory"
    elif [ ! -O "${1%/*}" ]; then
        why="${1%/*}: belongs to another user"
    elif [ -L "$1" ]; then
        why="$1: is a symbolic link to $(readlink -- "$1")"
    elif [ -e "$1" ] && [ ! -f "$1" ]; then
        why="$1: is not a regular file"
    elif [ -e "$1" ] && [ ! -O "$1" ]; then
        why="$1: belongs to another user"
    elif [ "$for_another" = no ] && ! private "${1%/*}"; then
        why="$1: another user can replace it, in ${swapped_%%"$newline"*}"
    else
        return 0
    fi
    return 1
}
# stage MODE BYTES PATH [LIKE]: make the new file beside its target, with the group, the access list and
# the attributes of LIKE, or of the target. MODE "keep" is the mode of the target, and 600 for a new
# file. The mode is set while the file is empty, so that others can never read its bytes; the file is
# opened before, because the mode may forbid its owner to write.
stage() {
    staged "$3"
    if [ -e "$stage_" ] || [ -L "$stage_" ]; then rm -f -- "$stage_"; fi
    like_=${4:-$3}
    if [ "$1" = keep ]; then like_=$3; fi
    if [ ! -e "$like_" ]; then like_=''; fi
    case $1$like_ in keep) set -- 600 "$2" "$3" ;; esac
    # shellcheck disable=SC2094 # both commands change the mode only, and read nothing
    {
        if [ -n "$like_" ]; then
            # The write below sets a new time.
            cp -a --attributes-only -- "$like_" "$stage_"
        fi && if [ "$1" != keep ]; then chmod "$1" -- "$stage_"; fi && cat -- "$2"
    } >"$stage_" || {
        why="$stage_: cannot be written"
        return 1
    }
}
