# Ask one workspace for everything the checks want to know, in one command, and change nothing.
# shellcheck shell=sh
#
# usage: check.sh ROOT CAP SUDO PROBES [ID LIMIT COUNT PROBE ARGUMENT...]...
#   ROOT   prefix of /proc, /sys, /run and /boot ("" except in a sandbox)
#   CAP    bytes of output that are kept of each probe
#   SUDO   "sudo" where the reading found that it works without a password
#   PROBES the text of the probes (remote/probes/*.sh, subjects/*/*probe.sh), or "-": it comes on
#          standard input, where it is too long for an argument
#   ID     name of the answer; LIMIT seconds; COUNT words follow: the probe and its arguments
# Each session of probes can be stopped with all its processes. First a few sessions run side by side, each
# with a share of the questions; then every question without an answer gets a session of its own.
#
# Output: "workspace-check 1", then the lines below, then "end". OUTPUT, ERRORS and STREAM are base64, so
# that no program can print a line of this protocol.
#   answer ID =OUTPUT STATUS =ERRORS   the answer to a question
#   answer ID timeout                  its probe did not end in time
#   share MARK =STREAM                 answers of a share, which has one stream for all: each output
#       is followed by the line "MARK ID STATUS", and all by the line "MARK =ERRORS", a stream in
#       which "MARK ID" follows the errors of each. A line begins with a newline of its own. MARK is
#       random, so that no output has it by chance.
#   done ID...                         what the stream of the next line "share" answers
leave_git_alone
root=$1 cap=$2 may_sudo=$3 probes=$4
export may_sudo
shift 4
if [ "$probes" = - ]; then probes=$(cat); fi
# The user's id is asked once for all questions.
check_uid=$uid_ check_user=${login:-$(id -un)}
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
probes=$identity$probes

for program in setsid timeout base64; do
    command -v "$program" >/dev/null 2>&1 || {
        printf '%s is not installed\n' "$program" >&2
        exit 127
    }
done
SHARES=4 EACH=8 SHARE_S=5 QUICK_S=10
# The bytes that are kept of a stream, a multiple of three: so many are told by the length of their base64.
ROOM=$((cap * 3)) FULL=$((cap * 4))
# probe SECONDS WORD...: run the probes with these words in a session of their own, whose number they say
# to descriptor 3. ("timeout" would leave processes that ignore its signal.)
probe() {
    seconds=$1
    shift
    # shellcheck disable=SC2016 # filled in by the shell that is the session's first process
    exec setsid -w sh -c 'echo session "$$" >&3; exec timeout -k 1 "$@"' sh "$seconds" sh -c "$probes" \
        workspace-probe "$root" "$cap" "$@" </dev/null
}
alone() { probe "$limit" framed "$@"; } # alone PROBE ARGUMENT...
# kept SECONDS: print the first bytes of a stream as base64. A process that a probe left in another session
# may keep the stream open, so it is read for so long, by a program that holds nothing back.
kept() { timeout -k 1 "$1" cat | head -c "$ROOM" | base64 -w 0; }
# attend: read what a session says of itself; once its shell is gone, end whatever is left of the session.
attend() {
    session='' ids=''
    while IFS=' ' read -r word rest; do
        case $word in
            session) session=$rest ;;
            done) ids="$ids $rest" ;;
            answer) say answer "$rest" ;;
        esac
    done
    if [ -n "$session" ]; then kill -KILL "-$session" 2>/dev/null; fi
    say "done$ids"
}
share() { # share NUMBER QUESTION...: the answers of a share
    number=$1
    shift
    # 3: what the session says, 4: its output, 5: its errors, 6: the lines of this program.
    {
        {
            errors=$(
                {
                    probe "$SHARE_S" share "$SHARES" "$number" "$QUICK_S" "$mark" "$@" \
                        3>&1 >&4 2>&5 4>&- 5>&- 6>&- | attend >&6 4>&- 5>&-
                } 5>&1 | kept "$((SHARE_S + 5))" 4>&- 6>&-
            )
            if [ "${#errors}" -lt "$FULL" ]; then
                printf '\n%s =%s\n' "$mark" "$errors"
            else
                say "done" >&6
            fi
        } 4>&1 | {
            stream=$(kept "$((SHARE_S + 8))" 6>&-)
            if [ "${#stream}" -lt "$FULL" ]; then say "share $mark =$stream" >&6; fi
        }
    } 6>&1
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
count_questions() { # count_questions QUESTION...
    questions=0
    while [ "$#" -ge 4 ]; do
        questions=$((questions + 1))
        shift "$((3 + $3))"
    done
}
count_questions "$@"
if [ "$questions" -lt $((SHARES * EACH)) ]; then SHARES=$(((questions + EACH - 1) / EACH)); fi
mark='' known=''
{ IFS= read -r mark </proc/sys/kernel/random/uuid; } 2>/dev/null
if [ "$questions" -gt 1 ] && [ -n "$mark" ]; then
    shared=$(shares 0 "$@")
    if [ -n "$shared" ]; then say "$shared"; fi
    known=$(say "$shared" | sed -n -e 's/^answer\( [0-9]* \).*/\1/p' -e '/^done/h' \
        -e '/^share /{x;s/^done//;s/$/ /p;}')
fi
while [ "$#" -ge 4 ]; do
    id=$1 limit=$2 count=$3
    shift 3
    case $known in
        *" $id "*)
            shift "$count"
            continue
            ;;
    esac
    answer=$(with_first "$count" alone "$@" 3>&1)
    code=$? session=${answer%%"$newline"*} answer=${answer#*"$newline"}
    if [ "$code" != 0 ]; then
        answer=timeout
        kill -KILL "-${session#session }" 2>/dev/null
    fi
    say answer "$id" "$answer"
    shift "$count"
done
say end
