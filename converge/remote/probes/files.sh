# file PATH
probe_file() {
    if [ -r "$1" ] && [ ! -d "$1" ]; then cat -- "$1"; else peek "$1"; fi
}
# link PATH: where it leads
probe_link() {
    [ -L "$1" ] || [ -e "$1" ] || stop 121 "$1"
    readlink -f -- "$1"
}
# exist PATH...
probe_exist() {
    for path in "$@"; do
        if [ -e "$path" ]; then say there "$path"; else say gone "$path"; fi
    done
}
# program PATH ARGUMENT...: what it prints
probe_program() {
    [ -x "$1" ] || stop 120 "${1##*/}"
    "$@"
}
