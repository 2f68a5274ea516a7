# Take KConfig's lock on a file, a QLockFile beside the file, by Qt's own rules.
# A part of write.sh and of the programs with restore.sh.
#
# A lock file is made exclusively, flocked while it is held, and has five lines: process, name of its
# executable, host, machine, boot. A lock is stale when its boot is another one, when its process is
# gone or runs another executable, or when its age is over 30 seconds either way. Whoever removes a
# stale lock holds LOCK.rmlock, looks again, and must be able to flock the lock: a live holder has it
# flocked, and a fresh lock can only be made after the stale one is gone. KDE waits for a live lock:
# KF5 for ever, KF6 45 seconds, after which KF6 drops its changes.
# Source: qtbase, qlockfile.cpp and qlockfile_unix.cpp; KDE/kconfig, KConfigIniBackend::lock.
# shellcheck shell=sh disable=SC2034,SC2154
# Descriptor of the last lock; a shell has single digits only, so at most six locks.
kde_fd=3
kde_taken='' kde_why='' kde_failed=''

machine_id() {
    { { IFS= read -r id_ || [ -n "$id_" ]; } </etc/machine-id && printf '%.32s' "$id_"; } 2>/dev/null
}
# host_name: print it; also "host_"
host_name() { host_='' && { IFS= read -r host_ </proc/sys/kernel/hostname && say "$host_"; } 2>/dev/null; }
executable=$(readlink -- "/proc/$$/exe")
executable=${executable% (deleted)}
# No program runs between making and filling a lock: an empty lock would be in the way for long.
host_name >/dev/null
boot_id >/dev/null
kde_owner=$$$newline${executable##*/}$newline$host_$newline$(machine_id)$newline$boot_
kde_make() { # kde_make LOCK: 0 made and held; 1 somebody else has it, or it cannot be made
    # The shell would open a pipe or a device of this name, and wait.
    if [ "$kde_fd" -ge 9 ] || [ -e "$1" ]; then return 1; fi
    fd=$((kde_fd + 1))
    set -C
    eval "command exec $fd>\"\$1\"" 2>/dev/null
    made=$?
    set +C
    [ "$made" = 0 ] || return 1
    kde_fd=$fd
    if ! { printf '%s\n' "$kde_owner" >&"$fd"; } 2>/dev/null; then
        # A full disk, where Qt gives up, too. The shell itself names no reason.
        kde_failed=$(say "$kde_owner" | LC_ALL=C cat 2>&1 >&"$fd") || :
        kde_drop "$1"
        return 1
    fi
    flock -n "$fd" 2>/dev/null || :
}
kde_drop() { # kde_drop LOCK: give back the lock that was made last
    rm -f -- "$1"
    eval "exec $kde_fd>&-"
    kde_fd=$((kde_fd - 1))
}
lock_line() { # lock_line: the next line into "got"; Qt takes the last byte for the newline
    IFS= read -r got || got=${got%?}
}
kde_read() { # kde_read LOCK: sets pid, app, host, machine, boot
    pid='' app='' host='' machine='' boot=''
    # A pipe would block for ever.
    if [ ! -f "$1" ]; then return 0; fi
    {
        lock_line && pid=$got
        lock_line && app=$got
        lock_line && host=$got
        lock_line && machine=$got
        lock_line && boot=$got
    } 2>/dev/null <"$1"
    case $pid in *[!0-9]* | 0 | ???????????????????*) pid='' ;; esac
}
kde_stale() { # kde_stale LOCK: whether its holder is gone by Qt's rules
    kde_read "$1"
    if [ -n "$pid" ]; then
        this=$(machine_id)
        here=no
        if [ -z "$host" ] || [ "$host" = "$(host_name)" ]; then here=yes; fi
        if [ -n "$machine" ] && [ -n "$this" ]; then
            here=no
            if [ "$machine" = "$this" ]; then here=yes; fi
        fi
        if [ "$here" = yes ]; then
            if [ -n "$boot" ] && [ "$boot" != "$(boot_id)" ]; then return 0; fi
            runs_now=$(readlink -- "/proc/$pid/exe" 2>/dev/null) || return 0
            runs_now=${runs_now% (deleted)}
            if [ "${runs_now##*/}" != "${app##*/}" ]; then return 0; fi
        fi
    fi
    changed=$(stat -c %Y -- "$1" 2>/dev/null) || return 1
    age=$(($(date +%s) - changed))
    [ "$age" -gt 30 ] || [ "$age" -lt -30 ]
}
kde_clear() { # kde_clear LOCK: remove a stale lock, and never a fresh one in its place
    kde_try "$1.rmlock" || return 1
    cleared=1
    if [ -f "$1" ] && kde_stale "$1" && command exec 3<"$1"; then
        if flock -n 3 2>/dev/null || ! command -v flock >/dev/null; then
            # shellcheck disable=SC3013 # -ef is in POSIX.1-2024
            if [ /proc/self/fd/3 -ef "$1" ] && rm -f -- "$1"; then cleared=0; fi
        fi
        exec 3<&-
    fi 2>/dev/null
    kde_drop "$1.rmlock"
    return "$cleared"
}
kde_try() { # kde_try LOCK: one try
    if kde_make "$1"; then return 0; fi
    case $1 in *.rmlock.rmlock.rmlock) return 1 ;; esac
    kde_stale "$1" && kde_clear "$1" && kde_make "$1"
}
# kde_lock PATH: take its lock, or wait five seconds. Else kde_why says who has it (1), or why it
# cannot be written (2).
kde_lock() {
    read -r kde_since _ </proc/uptime
    kde_failed=''
    until kde_try "$1.lock"; do
        read -r kde_now _ </proc/uptime
        if [ -n "$kde_failed" ] || [ "$((${kde_now%.*} - ${kde_since%.*}))" -gt 5 ]; then
            kde_why="KConfig's lock $1.lock cannot be made"
            if [ -n "$kde_failed" ]; then
                kde_why="$kde_why: $(reason "$kde_failed")"
                return 2
            fi
            if [ -e "$1.lock" ]; then
                kde_read "$1.lock"
                kde_why="KConfig's lock is held by ${pid:+process $pid }${app:+($app) }"
                kde_why="${kde_why% }${host:+ on $host}"
                if [ -z "$pid" ]; then kde_why="KConfig's lock $1.lock names no process"; fi
            fi
            return 1
        fi
        sleep 0.05
    done
    kde_taken=$1.lock$newline$kde_taken
}
kde_unlock() { # release all locks, the last first
    while [ -n "$kde_taken" ]; do
        kde_drop "${kde_taken%%"$newline"*}"
        kde_taken=${kde_taken#*"$newline"}
    done
}
