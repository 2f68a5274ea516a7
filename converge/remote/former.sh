# Keep the record of what was written last, and bring the former one back. A part of transact.sh and of
# trial.sh, behind record.sh.
#
# The record is one file of the user's, "written.json". A run keeps the former record, empty where there
# was none. Beside the record lies "undone": what the record still has and no longer counts.
#   undone/PART                      the former record counts for a part that was undone alone
#   undone/RUN/before, after, parts  the records before and after a run of which these parts were undone
#                                    while a later run was in force: what that run added does not count
# A new record has none of that any more. It keeps "undone" for its own undo, as "undone-before". A process
# of the user does all of this (verbs remember, forget and recall).
# shellcheck shell=sh disable=SC2034,SC2154
user_record() { # user_record WRITTEN: print the user's directory of this run's record
    case $T in "${1%/*}/runs"/*) say "$T" ;; *) say "${1%/*}/runs/$(plan run)" ;; esac
}
remember() { # remember <NEW: keep the former record, then replace it by NEW
    written=$(plan written) && kept=$(user_record "$written") || return 1
    [ -d "$kept" ] || mkdir -p -- "$kept" || stop 70 "$kept: cannot be made"
    plain "$written"
    if [ -e "$written" ]; then
        [ -r "$written" ] || stop 70 "$written: cannot be read"
        receive "$kept/written-before" <"$written" || stop 70 "$why"
    else
        receive "$kept/written-before" </dev/null || stop 70 "$why"
    fi
    seal "$kept" before written-before || stop 70 "$why"
    receive "$written" || stop 70 "$why"
    if [ -e "${written%/*}/undone" ]; then
        rm -rf -- "$kept/undone-before"
        mv -T -- "${written%/*}/undone" "$kept/undone-before" || stop 70 "${written%/*}/undone: cannot be moved"
    fi
}
plain() { # whether it is a regular file: a FIFO would never end, a link may lead anywhere
    if [ -L "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; then stop 70 "$1: is not a regular file"; fi
}
before_it() { # print the path of the former record, wherever the version of the run kept it
    kept=$(user_record "$1")
    for one in "$kept/written-before" "$T/written-before"; do
        if [ -f "$one" ] && [ -r "$one" ] && [ ! -L "$one" ]; then
            say "$one"
            return 0
        fi
    done
    return 1
}
# later RUNS...: whether a later run is in force; then the present record is that of the later run.
later() {
    mine=$(plan number) || return 1
    for runs in "$@"; do
        for status in "$runs"/*/transaction/status; do
            first_of "$status"
            case $status_ in kept* | broken*) ;; *) continue ;; esac
            if number_in "${status%/transaction/status}" >/dev/null && [ "$number" -gt "$mine" ]; then
                return 0
            fi
        done
    done
    return 1
}
later_than_this() {
    written=$(plan written) && later "${written%/*}/runs" "${T%/*/transaction}"
}
# from_before: set "before" to the path of the former record; fails where this run has not replaced the
# record. Ends the program where the former record is damaged or gone.
from_before() {
    written=$(plan written) || return 1
    mend "$(user_record "$written")" before || [ "$?" = 2 ] || stop 70 "$why; $(without_it)"
    if before=$(before_it "$written"); then
        behind_undone
        return 0
    fi
    regular "$written"
    if grep -qF "\"run\": \"$(plan run)\"" "$file_" 2>/dev/null; then
        stop 70 "$(user_record "$written")/written-before is gone; $(without_it)"
    fi
    return 1
}
# behind_undone: where the run of "before" was undone already, by its name, the record before that run
# counts, and so on.
behind_undone() {
    runs_=${written%/*}/runs
    while of_=$(sed -n 's/^ "run": "\([0-9a-z-]*\)".*/\1/p' "$before" | head -n 1) && [ -n "$of_" ]; do
        for one in "$runs_/$of_/transaction" "${T%/*/transaction}/$of_/transaction"; do
            first_of "$one/status"
            case $status_ in undone*) break ;; esac
        done
        case $status_ in undone*) ;; *) return 0 ;; esac
        for one in "$runs_/$of_/written-before" "$one/written-before" ''; do
            if plain_file "$one"; then break; fi
        done
        if [ -z "$one" ] || [ "$one" = "$before" ]; then return 0; fi
        before=$one
    done
}
without_it() { # print how a person goes on without the former record
    say "by hand: rm -r -- $(quoted "$written") $(quoted "${written%/*}/undone"), then repeat the undo"
}
recall() { # recall <AFTER: restore the former record, or note that this run does not count
    if later_than_this; then
        does_not_count nixos home-manager plasma+session
        return
    fi
    from_before || return 0
    plain "$written"
    if [ -s "$before" ]; then
        receive "$written" <"$before" || stop 70 "$why"
    else
        rm -f -- "$written" || stop 70 "$written: cannot be removed"
    fi
    for one in "$(user_record "$written")/undone-before"/*; do
        if [ ! -e "$one" ] || [ -e "${written%/*}/undone/${one##*/}" ]; then continue; fi
        mkdir -p -- "${written%/*}/undone" || stop 70 "${written%/*}/undone: cannot be made"
        mv -T -- "$one" "${written%/*}/undone/${one##*/}" || stop 70 "$one: cannot be moved"
    done
}
# does_not_count PART... <AFTER: note that what this run added of these parts is undone, though the record
# of a later run has it. AFTER is the record that the run made; an older version may not have it.
does_not_count() {
    if ! (from_before) >/dev/null; then return 0; fi # what it added cannot be told
    from_before
    noted_=${written%/*}/undone/$(plan run)
    mkdir -p -- "$noted_" || stop 70 "$noted_: cannot be made"
    receive "$noted_/after" || stop 70 "$why"
    receive "$noted_/before" <"$before" || stop 70 "$why"
    # shellcheck disable=SC2046 # words of ours
    put "$noted_/parts" "$@" $(text_of "$noted_/parts") || stop 70 "$why"
}
forget() { # forget PART... <AFTER: let the former record count again for these parts
    if later_than_this; then
        does_not_count "$@"
        return
    fi
    from_before || return 0
    mkdir -p -- "${written%/*}/undone" || stop 70 "${written%/*}/undone: cannot be made"
    for part in "$@"; do
        receive "${written%/*}/undone/$part" <"$before" || stop 70 "$why"
    done
}
undo_record() {
    # What undo_files reports.
    if [ ! -f "$self" ]; then return 0; fi
    text_=$(text_of "$T/written" | told sh "$self" recall "$T") || trouble="$trouble; ${text_#failed }"
}
