# What all probes share. usage: PROBES ROOT CAP framed PROBE ARGUMENT..., see remote/check.sh.
# shellcheck shell=sh
#
# A probe is a function probe_NAME that prints what it found. Its status is that of its program, or
#   120  a program is missing; its name is in the errors
#   121  nothing there; what was looked for is in the errors
#   122  not permitted; what cannot be read is in the errors
#   123  nobody to ask: no bus, no session, no such process
# Needs POSIX sh, GNU coreutils and grep. What is read here is data and never evaluated.
# shellcheck disable=SC2034 # cap: last.sh
root=$1 cap=$2
shift 2
# The bus of this user's manager, whatever session this command was started from.
: "${XDG_RUNTIME_DIR:=/run/user/$(id -u)}"
DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
export XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS

stop() { # stop STATUS TEXT: no answer, and why
    printf '%s\n' "$2" >&2
    exit "$1"
}
need() { command -v "$1" >/dev/null 2>&1 || stop 120 "$1"; }
bus() { [ -S "$XDG_RUNTIME_DIR/bus" ] || stop 123 "no user bus ($XDG_RUNTIME_DIR/bus)"; }
first_line() { { IFS= read -r line <"$1" && printf '%s\n' "$line"; } 2>/dev/null; }

# belongs DIRECTORY: whether a process is this user's. The kernel gives the files of a process with
# capabilities to root, so its status is asked.
belongs() {
    while read -r key real _; do
        if [ "$key" = Uid: ]; then
            if [ "$real" = "$(id -u)" ]; then return 0; else return 1; fi
        fi
    done <"$1/status"
    return 1
}
# called NAME: this user's processes of that name. The kernel keeps 15 characters, and a wrapper of
# nixpkgs starts .NAME-wrapped.
called() {
    plain=$(printf '%.15s' "$1") wrapped=$(printf '%.15s' ".$1-wrapped")
    for directory in "$root"/proc/[0-9]*; do
        { read -r name <"$directory/comm"; } 2>/dev/null || continue
        if [ "$name" = "$plain" ] || [ "$name" = "$wrapped" ]; then
            if belongs "$directory" 2>/dev/null; then say "${directory##*/}"; fi
        fi
    done
}
# session: the process whose environment is that of the running desktop session.
session() {
    for program in plasmashell kwin_x11 kwin_wayland; do
        pid=$(called "$program" | head -n 1)
        if [ -n "$pid" ]; then say "$pid" && return 0; fi
    done
    stop 123 'no desktop session'
}
# variables PID NAME...: as NUL-separated NAME=VALUE; all others stay on this machine.
variables() {
    file=$root/proc/$1/environ
    shift
    [ -r "$file" ] || stop 122 "$file"
    for variable in "$@"; do grep -az "^$variable=" "$file"; done
    return 0
}
# as_root test|cat|ls ARGUMENT...: through sh, which is all that sudo has to allow for a run.
as_root() { by_root -n "$@"; }
# peek FILE: its text, as far as the user may read it. Of the loader's files, which are often for root
# alone and among which nobody else can put a link, also what sudo shows without a password: whether
# it does was found out when the workspace was read.
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
# exists PATH: root is asked only where we cannot see it: each question is a line in root's log.
exists() { [ -e "$1" ] || { hidden "$1" && of_boot "$1" && as_root test -e "$1"; }; }
of_boot() { case $1 in */../*) return 1 ;; /boot/* | /efi/*) may_sudo ;; *) return 1 ;; esac; }
may_sudo() { [ "${may_sudo:-}" = sudo ]; }
# hidden PATH: whether it is there and unreadable, or below a directory that we may not look into.
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
# newest LINK...: when the newest of these generations was made, in seconds since the epoch.
newest() {
    last=0
    for link in "$@"; do
        made=$(stat -c %Y -- "$link" 2>/dev/null) || continue
        if [ "$made" -gt "$last" ]; then last=$made; fi
    done
    say "$last"
}
# limits DIRECTORY: the kernel's own numbers of a control group.
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
