# Tell whether a directory of records is its owner's alone. A part of write.sh, transact.sh and remove.sh.
# shellcheck shell=sh disable=SC2034,SC2154
# own DIRECTORY [WITHIN]: whether only we can write it, and the directory WITHIN it, or they do not exist
# yet; else "why"
own() {
    for own_ in "$@"; do
        if [ -L "$own_" ] || { [ -e "$own_" ] && [ ! -d "$own_" ]; }; then
            why="$own_: is not a directory"
            return 1
        elif [ -d "$own_" ] && [ ! -O "$own_" ]; then
            why="$own_: belongs to another user; nothing is kept there"
            return 1
        fi
    done
    own_=$(find "$@" -maxdepth 0 -perm /022 -print -quit 2>/dev/null)
    if [ -n "$own_" ]; then
        why="$own_: can be written by others; look through it, then chmod go-w it"
    elif [ "$for_another" = no ] && swappable "${1%/*}" >/dev/null; then
        why="$1: another user can replace it, in ${swapped_%%"$newline"*}; nothing is kept there; keep it in a"
        why="$why directory of your own (XDG_STATE_HOME)"
    else
        return 0
    fi
    return 1
}
