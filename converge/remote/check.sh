# Ask one workspace for everything the checks want to know, in one command, and change nothing.
# shellcheck shell=sh
#
# usage: check.sh ROOT CAP SUDO [ID LIMIT COUNT PROBE ARGUMENT...]... <probes
#   ROOT   prefix of /proc, /sys, /run and /boot ("" except in a sandbox)
#   CAP    bytes of output that are kept of each probe
#   SUDO   "sudo" where it was found, when the workspace was read, to work without a password
#   ID     what the answer is called; LIMIT seconds; COUNT words follow: the probe and its arguments
# Standard input is the program text of the probes (remote/probes/*.sh). Each runs in a shell and a
# session of its own, so that it can be stopped together with all that it started.
#
# Output: "workspace-check 1", then a line "answer ID =OUTPUT STATUS =ERRORS" for each question, then
# "end". OUTPUT and ERRORS are base64: whatever a program prints, it cannot write a line of ours. A
# probe that does not end in time has the answer "answer ID timeout".
leave_git_alone
root=$1 cap=$2 may_sudo=$3
export may_sudo
shift 3
# Who this is, is asked once and not for each question.
check_uid=$(id -u) check_user=$(id -un)
export check_uid check_user
# shellcheck disable=SC2016 # expanded by the probe's own shell
identity='id() {
    case $* in
        -u) printf "%s\n" "$check_uid" ;;
        -un) printf "%s\n" "$check_user" ;;
        *) command id "$@" ;;
    esac
}
'
probes=$identity$(cat)

for program in setsid timeout base64; do
    command -v "$program" >/dev/null 2>&1 || {
        printf '%s is not installed\n' "$program" >&2
        exit 127
    }
done
say workspace-check 1
while [ "$#" -ge 4 ]; do
    id=$1 limit=$2 count=$3
    shift 3
    answer=$(
        # Only the words of this question: they go to the end of the list, the rest is dropped.
        moved=0
        while [ "$moved" -lt "$count" ]; do
            set -- "$@" "$1"
            shift
            moved=$((moved + 1))
        done
        shift "$(($# - count))"
        # shellcheck disable=SC2016 # filled in by the shell that is the session's first process
        exec setsid -w sh -c 'echo "$$"; exec timeout -k 1 "$@"' sh "$limit" sh -c "$probes" \
            workspace-probe "$root" "$cap" framed "$@" </dev/null
    )
    code=$? session=${answer%%"$newline"*} answer=${answer#*"$newline"}
    if [ "$code" != 0 ]; then
        answer=timeout
        # timeout ends with its own child: what ignores its signal is still there.
        kill -KILL "-$session" 2>/dev/null
    fi
    say answer "$id" "$answer"
    shift "$count"
done
say end
