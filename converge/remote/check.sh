# Ask one workspace for everything the checks want to know, in one command, and change nothing.
# shellcheck shell=sh
#
# usage: check.sh ROOT CAP SUDO [ID LIMIT COUNT PROBE ARGUMENT...]... <probes
#   ROOT   prefix of /proc, /sys, /run and /boot ("" except in a sandbox)
#   CAP    bytes of output that are kept of each probe
#   SUDO   "sudo" where the reading found that it works without a password
#   ID     name of the answer; LIMIT seconds; COUNT words follow: the probe and its arguments
# Standard input is the program text of the probes (remote/probes/*.sh, subjects/*/*probe.sh). Each
# session of probes can be stopped with all its processes. First a few sessions run side by side, each
# with a share of the questions; then every question without an answer gets a session of its own.
#
# Output: "workspace-check 1", then a line "answer ID =OUTPUT STATUS =ERRORS" for each question, then
# "end". OUTPUT and ERRORS are base64, so that no program can print a line of this protocol. A probe
# that does not end in time has the line "answer ID timeout".
leave_git_alone
root=$1 cap=$2 may_sudo=$3
export may_sudo
shift 3
# The user's id is asked once for all questions.
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
# probe SECONDS WORD...: run the probes with these words in a session of their own; print the number of
# the session, then their output. ("timeout" would leave processes that ignore its signal.)
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
