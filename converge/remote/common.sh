# What every program on a workspace begins with: this text is joined before each of them
# (tasks/reach/remote.py), also before the copies that a transaction keeps on the workspace.
# shellcheck shell=sh disable=SC2034,SC2317
set -u
LC_ALL=C
export LC_ALL
umask 077

# Programs are looked for where people have them: a command over SSH is given little of PATH. Root
# who acts for somebody else looks only where root alone may write, whatever PATH sudo passed on.
for_another=no
if [ "$(id -u)" = 0 ] && [ "${SUDO_UID:-0}" != 0 ]; then
    for_another=yes
    PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin
    PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
else
    PATH=$PATH:/run/wrappers/bin:$HOME/.nix-profile/bin
    PATH=$PATH:${XDG_STATE_HOME:-$HOME/.local/state}/nix/profile/bin
    PATH=$PATH:/etc/profiles/per-user/$(id -un)/bin:/run/current-system/sw/bin
    PATH=$PATH:/nix/var/nix/profiles/default/bin:$HOME/.local/bin:$HOME/bin
    PATH=$PATH:/home/linuxbrew/.linuxbrew/bin:$HOME/.linuxbrew/bin
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/wsl/lib
fi
export PATH
newline='
'

say() { printf '%s\n' "$*"; }
stop() { # stop CODE TEXT...: end with the reason, as the controller reads it
    code=$1
    shift
    say failed "$*"
    exit "$code"
}

boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null; }
# stat_field PID N: field N after the command name in proc_pid_stat(5): 2 is the parent, 20 the start
# time in ticks since boot. Nothing where the process has ended, even if nobody took note of it.
stat_field() {
    text=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    field=$2
    set -f
    # shellcheck disable=SC2086 # the command name before these fields may hold blanks
    set -- ${text##*) }
    set +f
    case $1 in Z | X) return 0 ;; esac
    shift $((field - 1))
    say "$1"
}
start_time() { stat_field "$1" 20; }
# lives PID START BOOT: whether this very process is still there, and not a later one of that number.
lives() {
    [ -n "$1" ] && [ -n "$2" ] && [ "$3" = "$(boot_id)" ] && [ "$(start_time "$1")" = "$2" ]
}

# The lock of a workspace is a file of lines "WORD VALUE": run, host, user, pid, since (who asked),
# then anchor, start, boot: the process that lives as long as the run.
holds_lock() { grep -qx "run $1" "$2" 2>/dev/null; } # holds_lock RUN LOCK
give_back() { if holds_lock "$1" "$2"; then rm -f -- "$2"; fi; } # give_back RUN LOCK
read_lock() { # read_lock LOCK: sets anchor, start, boot; empty where they cannot be read
    anchor='' start='' boot=''
    while IFS=' ' read -r word value; do
        case $word in anchor) anchor=$value ;; start) start=$value ;; boot) boot=$value ;; esac
    done <"$1"
}

# leave_git_alone: git, also where Nix calls it, neither refreshes the index of a repository that is
# only looked at, nor runs a program that the repository names.
leave_git_alone() {
    GIT_OPTIONAL_LOCKS=0 GIT_CONFIG_COUNT=3
    GIT_CONFIG_KEY_0=diff.autoRefreshIndex GIT_CONFIG_VALUE_0=false
    GIT_CONFIG_KEY_1=core.fsmonitor GIT_CONFIG_VALUE_1=false
    GIT_CONFIG_KEY_2=core.hooksPath GIT_CONFIG_VALUE_2=/dev/null
    export GIT_OPTIONAL_LOCKS GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0
    export GIT_CONFIG_KEY_1 GIT_CONFIG_VALUE_1 GIT_CONFIG_KEY_2 GIT_CONFIG_VALUE_2
}
flakes() { nix --extra-experimental-features 'nix-command flakes' "$@"; }
cm() { # cm ARGUMENT...: chezmoi, which then asks nobody and fetches nothing
    chezmoi --no-tty --no-pager --color=false --progress=false --refresh-externals=never "$@" \
        </dev/null
}
