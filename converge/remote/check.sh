# Ask one workspace for everything the checks want to know, in one command, and change nothing.
# shellcheck shell=sh
#
# usage: check.sh ROOT CAP SUDO [ID LIMIT COUNT PROBE ARGUMENT...]... <probes
#   ROOT   prefix of /proc, /sys, /run and /boot ("" except in a sandbox)
#   CAP    bytes of output that are kept of each probe
#   SUDO   "sudo" where it was found, when the workspace was read, to work without a password
#   ID     what the answer is called; LIMIT seconds; COUNT words follow: the probe and its arguments
# Standard input is the program text of the probes (remote/probes/*.sh). They run in sessions of their
# own, which can be stopped together with all that was started in them: first in a few, side by side,
# each with its share of the questions; then alone whichever got no answer there.
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
SHARES=4 SHARE_S=5 QUICK_S=10
# probe SECONDS WORD...: the probes with these words, in a session of their own: its number, then what
# they print. "timeout" ends with its own child; what ignores its signal is still there.
probe() {
    seconds=$1
    shift
    # shellcheck disable=SC2016 # filled in by the shell that is the session's first process
    exec setsid -w sh -c 'echo "$$"; exec timeout -k 1 "$@"' sh "$seconds" sh -c "$probes" \
        workspace-probe "$root" "$cap" "$@" </dev/null
}
alone() { probe "$limit" framed "$@"; } # alone PROBE ARGUMENT...
share() {                               # share NUMBER QUESTION...: the answers of a share
    number=$1
    shift
    answers=$(probe "$SHARE_S" share "$SHARES" "$number" "$QUICK_S" "$@") ||
        kill -KILL "-${answers%%"$newline"*}" 2>/dev/null
    say "$answers"
}
shares() { # shares NUMBER QUESTION...: this share and those after it
    [ "$1" -lt "$SHARES" ] || return 0
    share "$@" | {
        number=$(($1 + 1))
        shift
        shares "$number" "$@"
        cat
    }
}
say workspace-check 1
known=$(shares 0 "$@" | sed -n 's/^\(answer .*\) \.$/\1/p')
if [ -n "$known" ]; then say "$known"; fi
while [ "$#" -ge 4 ]; do
    id=$1 limit=$2 count=$3
    shift 3
    case $newline$known in
        *"${newline}answer $id "*)
            shift "$count"
            continue
            ;;
    esac
    answer=$(with_first "$count" alone "$@")
    code=$? session=${answer%%"$newline"*} answer=${answer#*"$newline"}
    if [ "$code" != 0 ]; then
        answer=timeout
        kill -KILL "-$session" 2>/dev/null
    fi
    say answer "$id" "$answer"
    shift "$count"
done
say end
