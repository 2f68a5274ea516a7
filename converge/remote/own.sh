# Tell whether a directory of records is its owner's alone. A part of write.sh, transact.sh and remove.sh.
# shellcheck shell=sh disable=SC2034,SC2154
own() { # own DIRECTORY: whether only we can write it, or it does not exist yet; else "why"
    if [ -L "$1" ] || { [ -e "$1" ] && [ ! -d "$1" ]; }; then
        why="$1: is not a directory"
    elif [ -d "$1" ] && [ ! -O "$1" ]; then
        why="$1: belongs to another user; nothing is kept there"
    elif [ -n "$(find "$1" -maxdepth 0 -perm /022 2>/dev/null)" ]; then
        why="$1: can be written by others; look through it, then chmod go-w it"
    elif [ "$for_another" = no ] && above_=$(swappable "${1%/*}"); then
        why="$1: another user can replace it, in ${above_%%"$newline"*}; nothing is kept there; keep it in a"
        why="$why directory of your own (XDG_STATE_HOME)"
    else
        return 0
    fi
    return 1
}
