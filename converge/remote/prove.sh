# Prove a trial after its boot, on the workspace alone, and ask the person. A part of trial.sh.
#
# R/checks has, for each check: "check NAME", "within SECONDS" (a wrong answer is asked again for so
# long, because services and the desktop take time to start), "limit SECONDS" of the probe, "word TEXT"
# for the probe's name and each argument, and the rules that the answer has to meet:
#   is TEXT            the answer is this text, apart from blanks
#   has TEXT           a line of the answer contains this text
#   lines ERE<TAB>ERE  some line fits the first pattern, and every such line fits the second
# The probes are those of all checks; remote/check.sh runs them as the user, from copies in the record.
# shellcheck shell=sh disable=SC2034,SC2154
CAP=65536
QUESTION=workspace-tuning-question.service

prove() {
    state proving "generation $number runs since this boot" || { undo_all undone "$why" && return; }
    rm -f -- "$R/found"
    begun=$(uptime_s)
    if ! proved; then
        if [ "$(value options confirm)" != person ]; then
            undo_all undone "$disproved"
            return
        fi
        asked=$disproved
    fi
    case $(value options confirm) in
        person | both)
            ask
            answered_=$?
            if [ -n "$shown" ]; then no_dialog; fi # answered elsewhere, or too late
            [ "$answered_" = 0 ] || { undo_all undone "$disproved" && return; }
            ;;
    esac
    keep
}
# proved: ask each check until it is right; fails with "disproved" as soon as one takes too long.
proved() {
    while :; do
        open_=0 disproved=''
        true >"$R/found.new"
        kernel
        units_failed
        checks
        mv -f -- "$R/found.new" "$R/found"
        if [ -n "$disproved" ]; then return 1; fi
        if [ "$open_" = 0 ]; then return 0; fi
        sleep 2
    done
}
# verdict NAME WITHIN EXPECTED FOUND: note the result of a check; FOUND is "" where it is right.
verdict() {
    if [ -z "$4" ]; then
        say "effective $1" >>"$R/found.new"
    elif [ "$(($(uptime_s) - begun))" -lt "$2" ]; then
        open_=$((open_ + 1))
        say "waits $1: $4" >>"$R/found.new"
    else
        say "not effective $1: expected $3, found $4" >>"$R/found.new"
        disproved=${disproved:-"$1: expected $3, found $4"}
    fi
}
kernel() { # whether the built kernel runs with all its parameters
    missing=''
    set -f
    # GRUB may move the quotes within a parameter, so quotes are not compared.
    given=" $(tr -d "\"'\\\\" <"$root/proc/cmdline") "
    parameters=$(tr -d "\"'\\\\" <"$new/kernel-params" 2>/dev/null)
    for parameter in $parameters; do
        case $given in *" $parameter "*) ;; *) missing="$missing $parameter" ;; esac
    done
    set +f
    verdict boot.parameters 0 'the parameters of the generation' "${missing:+without$missing}"
    release=$(cd -- "$new/kernel-modules/lib/modules" 2>/dev/null && echo *)
    wrong=''
    case $release in '' | '*' | "$(uname -r)") ;; *) wrong="Linux $(uname -r)" ;; esac
    verdict boot.kernel 0 "Linux $release" "$wrong"
}
units_failed() {
    command -v systemctl >/dev/null || return 0
    now=$(systemctl list-units --failed --plain --no-legend --no-pager 2>/dev/null |
        sed 's/^[^A-Za-z0-9]*//; s/ .*//' | sort)
    fresh=$(say "$now" | grep -vxF -f "$R/failed" | grep . | tr '\n' ' ')
    fresh=${fresh% }
    # A failed unit may be started again, and the last units of a boot start late.
    verdict boot.units 60 'no unit that fails since then' "$fresh"
    still=$(systemctl is-system-running 2>/dev/null)
    case $still in starting | initializing) ;; *) still='' ;; esac
    verdict boot.done 600 'a boot that comes to its end' "${still:+the system is $still}"
}

# checks: read R/checks; a check is judged where the next one begins.
checks() {
    name='' && forget_check
    while IFS=' ' read -r word_ rest_; do
        case $word_ in
            check) judge_check && forget_check && name=$rest_ ;;
            within) within=$rest_ ;;
            limit) limit=$rest_ ;;
            word) words=$words$rest_$newline count=$((count + 1)) ;;
            is | has | lines) rules="$rules$word_ $rest_$newline" ;;
        esac
    done <"$R/checks"
    judge_check
}
forget_check() { within=60 limit=10 words='' count=0 rules=''; }
judge_check() {
    if [ -z "$name" ]; then return 0; fi
    reply=$(asked_of "$count" <<WORDS
$words
WORDS
    )
    expected='' wrong=''
    case $reply in
        "answer 0 ="*" "*" ="*)
            reply=${reply#answer 0 =}
            text=$(say "${reply%% *}" | base64 -d 2>/dev/null | tr -d '\0')
            reply=${reply#* }
            complaint=$(say "${reply#* =}" | base64 -d 2>/dev/null | tail -n 1 | cut -c 1-160)
            ;;
        *) text='' complaint='no answer in time' ;;
    esac
    while IFS=' ' read -r rule_ wanted_; do
        [ -n "$rule_" ] || continue
        if meets "$rule_" "$wanted_"; then continue; fi
        expected="$rule_ $wanted_"
        wrong=$(say "${text:-${complaint:-nothing}}" | head -n 1 | cut -c 1-160)
        break
    done <<RULES
$rules
RULES
    verdict "$name" "$within" "$(say "$expected" | tr "$tab" ' ')" "$wrong"
}
asked_of() { # asked_of COUNT <WORDS: print the answer of the probe, which runs as the user
    set -- "$1"
    while [ "$#" -le "$1" ] && IFS= read -r one_; do set -- "$@" "$one_"; done
    count_=$1
    shift
    told sh "$R/check.sh" "" "$CAP" - - 0 "$limit" "$count_" "$@" <"$R/probes" | grep '^answer '
}
meets() { # meets RULE TEXT
    case $1 in
        is)
            set -f
            # shellcheck disable=SC2086 # blanks around and between words do not count
            [ "$(printf '%s ' $text)" = "$(printf '%s ' $2)" ]
            is_=$?
            set +f
            return "$is_"
            ;;
        has) say "$text" | grep -qF -e "$2" ;;
        lines)
            chosen_=$(say "$text" | grep -E -e "${2%%"$tab"*}") || return 1
            ! say "$chosen_" | grep -qvE -e "${2#*"$tab"}"
            ;;
        *) return 1 ;;
    esac
}

# -- the person -----------------------------------------------------------------------------------

# ask: wait for the person's answer, from a dialog or tasks/confirm.py. Fails with "disproved" where the
# answer is no, or none came in time.
ask() {
    patience=$(value options session) limit=$(value options answer)
    case $limit in '' | *[!0-9]*) limit=300 ;; esac
    case $patience in '' | *[!0-9]*) patience=900 ;; esac
    state proving "generation $number waits for the answer of a person: tasks/confirm.py"
    start=$(uptime_s) end='' shown=''
    while :; do
        case $(head -n 1 -- "$R/answer" 2>/dev/null) in
            keep) return 0 ;;
            undo) disproved='the person said no' && return 1 ;;
        esac
        now=$(uptime_s)
        if [ -z "$end" ] && { [ "$(value options desktop)" != yes ] || desktop; }; then
            end=$((now + limit)) # the time begins with a session, or once none has come
        fi
        if [ -n "$end" ] && [ -z "$shown" ] && desktop; then
            shown=yes
            dialog "$limit" &
        fi
        if [ "$now" -ge "${end:-$((start + patience))}" ]; then
            disproved="nobody said within $((now - start)) s that it is to be kept"
            return 1
        fi
        sleep 1
    done
}
desktop() { # whether the user has a session with a display
    told timeout 10 systemctl --user show-environment 2>/dev/null |
        grep -qE '^(WAYLAND_)?DISPLAY=.'
}
# in_session SECONDS PROGRAM...: run a program in the user's desktop session, with the environment of the
# user's manager; print its output, one line. The exit code of systemd-run tells nothing: it is 1 also
# where the program had no display or ran out of time.
in_session() {
    wait_=$1
    shift
    told_within "$((wait_ + 30))" systemd-run --user --quiet --collect --wait --pipe \
        --unit="$QUESTION" --property="RuntimeMaxSec=$wait_" "$@" 2>/dev/null | head -n 1 | head -c 64
}
dialog() { # dialog SECONDS: the question on the desktop, as for a screen's resolution
    question="The system was restarted with the change of run $(plan run). Keep it? Without an answer \
it is undone in $1 seconds${asked:+. What was found: $asked}"
    question=$(say "$question" | tr -d '<>&$') # the dialog reads HTML, systemd expands $
    title='Keep these changes?'
    if as_user sh -c 'command -v kdialog' >/dev/null 2>&1; then
        # shellcheck disable=SC2016 # expanded by the inner shell
        said_=$(in_session "$1" sh -c 'kdialog "$@"
            case $? in 0) echo keep ;; 1) echo undo ;; esac' kdialog --title "$title" \
            --yes-label Keep --no-label Undo --warningyesno "$question")
    elif as_user sh -c 'command -v notify-send' >/dev/null 2>&1; then
        said_=$(in_session "$1" notify-send --wait --urgency=critical \
            --expire-time="$(($1 * 1000))" --action=keep=Keep --action=undo=Undo "$title" "$question")
    fi
    case ${said_:-} in keep | undo) answer "$said_" ;; esac
}
no_dialog() { as_user timeout 10 systemctl --user stop "$QUESTION" 2>/dev/null; }
answer() { # answer keep|undo: the first word counts
    case $1 in keep | undo) ;; *) stop 64 "$1: neither keep nor undo" ;; esac
    case $(state_word) in proving) ;; *) stop 73 "no trial waits for an answer: $(cat "$R/state")" ;; esac
    case $(value options confirm) in person | both) ;; *)
        stop 73 "nobody is asked: its proof decides (trial_confirm); tasks/rollback.py takes it back" ;;
    esac
    { set -C && printf '%s\n' "$1" >"$R/answer"; } 2>/dev/null
    set +C
    sync -- "$R/answer"
    say "answer $(cat "$R/answer")"
}
tell() { # tell TEXT: to every terminal, and in the desktop session, at the next login if there is none
    say "$1"
    command -v wall >/dev/null && say "$1" | timeout 5 wall 2>/dev/null
    [ "$(value options desktop)" = yes ] || return 0
    until desktop; do sleep 20; done
    in_session 20 notify-send --urgency=critical 'workspace-tuning' "$1" >/dev/null
}
