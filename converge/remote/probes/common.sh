# The functions of all probes. usage: PROBES ROOT CAP framed PROBE ARGUMENT..., see remote/check.sh.
# shellcheck shell=sh
#
# A probe is a function probe_NAME that prints what it found. Its status is that of its program, or
#   120  a program is missing; its name is in the errors
#   121  a file or directory is missing; its name is in the errors
#   122  not permitted; the name of what cannot be read is in the errors
#   123  no bus, no session or no such process to ask; the errors say which
# Needs POSIX sh, GNU coreutils and grep. All that is read is data and never evaluated.
# shellcheck disable=SC2034 # cap: last.sh
root=$1 cap=$2
shift 2
# The bus of this user's manager; a command over SSH may lack the variable.
: "${XDG_RUNTIME_DIR:=/run/user/$(id -u)}"
DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
export XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS

stop() { # stop STATUS TEXT: end without an answer
    printf '%s\n' "$2" >&2
    exit "$1"
}
need() { command -v "$1" >/dev/null 2>&1 || stop 120 "$1"; }
bus() { [ -S "$XDG_RUNTIME_DIR/bus" ] || stop 123 "no user bus ($XDG_RUNTIME_DIR/bus)"; }
first_line() { { IFS= read -r line <"$1" && printf '%s\n' "$line"; } 2>/dev/null; }

# belongs DIRECTORY: whether a process is this user's. Its status tells, because the kernel gives the
# files of a process with capabilities to root.
belongs() {
    while read -r key real _; do
        if [ "$key" = Uid: ]; then
            if [ "$real" = "$(id -u)" ]; then return 0; else return 1; fi
        fi
    done <"$1/status"
    return 1
}
# called NAME: print this user's processes of that name. The kernel keeps 15 characters, and a wrapper
# of nixpkgs starts .NAME-wrapped.
called() {
    plain=$(printf '%.15s' "$1") wrapped=$(printf '%.15s' ".$1-wrapped")
    for directory in "$root"/proc/[0-9]*; do
        { read -r name <"$directory/comm"; } 2>/dev/null || continue
        if [ "$name" = "$plain" ] || [ "$name" = "$wrapped" ]; then
            if belongs "$directory" 2>/dev/null; then say "${directory##*/}"; fi
        fi
    done
}
# session: print a process that has the environment of the running desktop session.
session() {
    for program in plasmashell kwin_x11 kwin_wayland; do
        pid=$(called "$program" | head -n 1)
        if [ -n "$pid" ]; then say "$pid" && return 0; fi
    done
    stop 123 'no desktop session'
}
# variables PID NAME...: print these variables of a process as NAME=VALUE with NUL between, and no others.
variables() {
    file=$root/proc/$1/environ
    shift
    [ -r "$file" ] || stop 122 "$file"
    for variable in "$@"; do grep -az "^$variable=" "$file"; done
    return 0
}
# as_root test|cat|ls ARGUMENT...: run it by sudo, through sh.
as_root() { by_root -n "$@"; }
# peek FILE: print a file that the user may read. Files of the boot loader, which are often for root
# alone, are read by sudo where the reading found that sudo asks for no password; nobody but root can
# put a link among them.
peek() {
    if [ -r "$1" ]; then
        cat -- "$1"
    elif of_boot "$1" && as_root test -r "$1"; then
        as_root cat -- "$1"
    elif hidden "$1"; then
        stop 122 "$1"
    else
        stop 121 "$1"
    fi
}
# exists PATH: root is asked only where the user cannot see it, since sudo logs each question.
exists() { [ -e "$1" ] || { hidden "$1" && of_boot "$1" && as_root test -e "$1"; }; }
of_boot() { case $1 in */../*) return 1 ;; /boot/* | /efi/*) may_sudo ;; *) return 1 ;; esac; }
may_sudo() { [ "${may_sudo:-}" = sudo ]; }
# hidden PATH: whether it exists and is unreadable, or is below a directory that we may not enter.
hidden() {
    if [ -e "$1" ]; then return 0; fi
    above=$1
    until [ -e "$above" ]; do
        above=${above%/*}
        above=${above:-/}
    done
    ! [ -x "$above" ]
}
work_directory() {
    directory=$(mktemp -d "${TMPDIR:-/tmp}/workspace-check.XXXXXX") || stop 122 "${TMPDIR:-/tmp}"
    trap 'rm -rf -- "$directory"' EXIT
    trap 'exit 129' HUP INT TERM
    cd -- "$directory" || exit 122
}
# newest LINK...: print the time of the newest of these links, in seconds since the epoch.
newest() {
    last=0
    for link in "$@"; do
        made=$(stat -c %Y -- "$link" 2>/dev/null) || continue
        if [ "$made" -gt "$last" ]; then last=$made; fi
    done
    say "$last"
}
# limits DIRECTORY: print the kernel's numbers of a control group.
limits() {
    [ -d "$1" ] || stop 121 "$1"
    for name in memory.high memory.max memory.swap.max cpu.max memory.peak; do
        if text=$(first_line "$1/$name"); then say kernel "$name" "$text"; fi
    done
    [ -r "$1/memory.events" ] || return 0
    while read -r key number; do
        if [ "$key" = oom_kill ]; then say kernel oom_kill "$number"; fi
    done <"$1/memory.events"
}
