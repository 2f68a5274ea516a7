# Files and programs by name.
# shellcheck shell=sh disable=SC2154 # root, cap: common.sh

probe_file() { # file PATH
    if [ -d "$1" ]; then stop 121 "$1: is a directory"; fi
    if [ -r "$1" ]; then exec head -c "$cap" -- "$1"; fi
    peek "$1"
}
probe_exist() { # exist PATH...
    for path in "$@"; do
        if [ -e "$path" ]; then say there "$path"; else say gone "$path"; fi
    done
}
probe_program() { # program PATH ARGUMENT...: what it prints
    [ -x "$1" ] || stop 120 "${1##*/}"
    "$@"
}
