# Activate a change, wait for the decision, and keep or undo the change. It runs on the workspace in a
# process of its own, so that a lost connection or controller changes nothing.
#
# usage: transact.sh start  T [SECONDS] <payload  unpack the transaction into T, begin it, wait
#        transact.sh wait   T SECONDS [WORD]      wait until it is past WORD (default: activating)
#        transact.sh decide T confirm|undo [SHA256 [LOCK] <record]
#                                                 decide; the first decision counts. RECORD, gzip
#                                                 in base64, replaces "written". LOCK, the run's, is
#                                                 released once that is kept and not on trial
#        transact.sh undo   T [PART...]           undo a kept one, or one whose process is gone;
#                                                 parts: nixos home-manager plasma+session
#                                                 (default: all that is still in force)
#        transact.sh run    T                     the process itself
#        transact.sh reboot T                     the user's unit after a reboot in between
#        transact.sh discard RECORDS LAYERS       remove root's records of one user, once all is undone
#        transact.sh answer T keep|undo, restart T   hand over to trial.sh
#        transact.sh tried  T SECONDS             print how the trial stands, once it is decided
#        transact.sh trial  T SHA256 <payload     the change needs a reboot: prepare a trial (trial.sh)
#   started by root, as the user:
#        transact.sh restore RECORD T begun|written   undo the user's files
#        transact.sh remember T <written.json       keep the record of what was last written
#        transact.sh recall T, forget T PART... <written   restore the former record: wholly, or of parts
#        transact.sh prune  T RUNS                remove old records
# T is a directory of whoever activates, root where NixOS is part of the transaction. It has
#   plan    lines: "run ID", "number N" (larger than that of each change before), "deadline SECONDS",
#           "user NAME", "live RECORD", "record RECORD user|root PART", "written PATH",
#           "after_reboot PATH", "rollback PATH" (a script for a person there, from rollback.sh),
#           "places PATH" (where the user's programs were found), "variable NAME=PATH" (HOME, and
#           XDG_..._HOME where they are set, as the reading had them),
#           "nixos|home-manager NEW PROFILE OLD_NUMBER OLD_PATH" ("-" where there is no old one),
#           "boot ID" (added here)
#   live    payload of write.sh: the files that take effect as soon as they are written
#   parts   lines "PART STATE" of a kept change: in-force, undone, broken
#   status  one line: WORD REASON; WORD is one of activating, activated, keeping, kept, undoing,
#           undone, broken (undo failed: the reason and "by hand" lines say what is left to do)
#
# Strategy of run: 1 write the live files; 2 activate the system without making it the boot default,
# then the home; 3 wait for the decision, no longer than the deadline on the monotonic clock;
# 4 confirm: each new path becomes a generation of its profile, and the system the boot default; or
# undo in reverse order to the recorded generation numbers, never to "previous". A reboot before step 4
# comes up in the old system; the user's unit from step 1 then undoes the rest. A profile that somebody
# else moved meanwhile is left alone and named.
standing=''
self=$T/transact.sh

runs() { # whether the process of this transaction still runs
    regular "$T/process"
    IFS=' ' read -r pid start boot <"$file_" 2>/dev/null && lives "$pid" "$start" "$boot"
}
# Make the user's running desktop read its files again; without a desktop nothing happens.
reload_desktop() {
    bus=${XDG_RUNTIME_DIR:-/run/user/$uid_}/bus
    if rooted; then bus=/run/user/$(id -u "$(plan user)")/bus; fi
    if [ ! -S "$bus" ]; then return 0; fi
    as_user timeout 20 systemctl --user daemon-reload
    as_user timeout 20 busctl --user --auto-start=no call org.kde.KWin /KWin org.kde.KWin reconfigure
    as_user timeout 20 busctl --user --auto-start=no call \
        org.kde.baloo / org.kde.baloo.main updateConfig
    return 0
}

# unit_manager: print the systemd in which a process outlives its starter. The user's manager does not
# count where it ends with the user's last session: there a process that left its session lives on.
unit_manager() {
    [ -d /run/systemd/system ] || return 1
    if is_root; then
        systemctl show-environment >/dev/null 2>&1 && say --system
    else
        [ -e "/var/lib/systemd/linger/$(id -un)" ] &&
            systemctl --user show-environment >/dev/null 2>&1 && say --user
    fi
}

await() { # await: set "decision" to confirm, undo, late, or failed with "why"
    uptime_s >/dev/null && from=$up_
    end=$((from + $(plan deadline)))
    decision=failed
    put "$T/deadline" "$end" && status activated "$(plan run)" || return
    decision=none
    while :; do
        first_of "$T/decision"
        case $status_ in
            confirm | undo) decision=$status_ && return ;;
        esac
        if uptime_s >/dev/null && [ "$up_" -ge "$end" ]; then decision=late && return; fi
        nap "$from" 0.2
    done
}

activate() {
    hold
    if record=$(plan live); then
        record=${record% user}
        answer=$(told sh "$T/write.sh" "$(plan run)" "$record" "" "- - - -" keep <"$T/live")
        say "$answer"
        case $answer in *done) ;; *)
            reason=$(say "$answer" | grep -e '^stale ' -e '^refused ' -e '^failed ' | head -n 1)
            why=${reason:-the files could not be written}
            if say "$answer" | grep -q '^wrote '; then return 1; fi # some files were written: undo
            status undone "nothing was changed: $why"
            return 1
            ;;
        esac
    fi
    if fields nixos; then
        if home_new=$(home_within "$new"); then aside "$home_new" || return 1; fi
        (umask 022 && "$new/bin/switch-to-configuration" test)
        code=$?
        case $code in
            0) ;;
            4) why="the system was switched, but units failed (exit 4)$(home_not_activated)" && return 1 ;;
            *) why="switch-to-configuration test: exit $code" && return 1 ;;
        esac
    fi
    if fields home-manager; then
        aside "$new" || return 1
        activate_home "$new" || { why="home-manager's activation: exit $?" && return 1; }
    fi
    reload_desktop
}
aside() { move_aside "$1" || { why="files of the home could not be moved aside" && return 1; }; }

keep() {
    status keeping "$(plan run)"
    tried=''
    for layer in nixos home-manager; do
        fields "$layer" || continue
        now=$(number_of "$profile")
        if [ "$layer" = nixos ] && [ "$now" = "$old_number" ] && try_at_boot; then continue; fi
        if [ "$(target_of "$profile")" = "$new" ]; then
            : # an older home-manager has made the generation itself
        elif [ "$now" != "$old_number" ]; then
            why="$profile was switched to generation $now by somebody else meanwhile"
            return 1
        else
            set_profile "$layer" --set "$new" || { why="$profile: no new generation" && return 1; }
        fi
        if [ "$layer" = nixos ]; then
            install_menu "$new" boot || { why="no boot default: exit $?" && return 1; }
        fi
    done
    told sh "$self" remember "$T" <"$T/written" >"$T/.noted" || {
        why=$(sed -n 's/^failed //p' "$T/.noted") && return 1
    }
    # From here on the next start is a trial, and trial.sh writes the status "kept" itself.
    if [ -n "$tried" ]; then
        said=$(sh "${T%/transaction}/trial/trial.sh" arm "$T") ||
            { why="it cannot be tried at the next boot: ${said#failed }" && return 1; }
    fi
    kept "$tried" || return 1
    prune_all
}
kept() { # kept [NUMBER]: NUMBER is the system's generation, if its profile is not at it yet
    numbers=''
    for layer in nixos home-manager; do
        fields "$layer" || continue
        of=$(number_of "$profile")
        if [ "$layer" = nixos ]; then of=${1:-$of}; fi
        numbers="$numbers $layer $of"
    done
    status kept "$(plan run)$numbers" && note_parts in-force
}
try_at_boot() { # fails where nothing is to be tried or can be: then the new system is the default
    trial=${T%/transaction}/trial
    [ -f "$trial/options" ] || return 1
    said=$(sh "$trial/trial.sh" prepare "$T" "$old_number" "$old_path" "$profile" | tail -n 1)
    case $said in "trial prepared "*) tried=${said#trial prepared } ;; *) return 1 ;; esac
}
# ready ARGUMENT...: make sure that the files of an undo are whole, else set the status "broken". Where
# they had to be mended, the undo begins anew, with the mended plan.
ready() {
    if ! usable "$T"; then
        status broken "$why"
        say "status $standing"
        exit
    fi
    if [ "$mended_" = yes ]; then exec sh "$self" "$@"; fi
}

case $verb in
    start)
        place "${T%/*}" || stop 70 "$why"
        [ -d "$T" ] || mkdir -p -- "$T" || stop 70 "$T: cannot be made"
        # Left by an earlier attempt that found a changed file.
        rm -f -- "$T/process" "$T/decision" "$T/deadline" "$T/parts" \
            "$T/programs.sums" "$T/programs.spare"
        text=$(unpack "$T" 2>&1) || stop 70 "$T: cannot be written: $(reason "$text")"
        say "boot $(boot_id)" >>"$T/plan" || stop 70 "$T/plan: cannot be written"
        read_plan
        # Root acts for whoever asked, and for nobody else: whoever is named here runs the user's part.
        if [ "$for_another" = yes ] && [ "$(id -u "$(plan user)")" != "$SUDO_UID" ]; then
            stop 64 "$(plan user): not the user who asked root"
        fi
        if one=$(invalid); then stop 70 "$one: not a valid path of the Nix store; root runs no other"; fi
        if rooted; then
            chmod 600 -- "$T/live" "$T/written"
            # The user's part of the record gets the number too, which tells its age.
            # shellcheck disable=SC2016 # expanded by the inner shell
            briefly sh -c 'umask 077; mkdir -p -- "$1" && printf "%s\n" "$2" >"$1/number"' \
                number "$(user_record "$(plan written)")" "$(plan number)" ||
                stop 70 "$(user_record "$(plan written)"): cannot be written"
        fi
        seal "$T" programs plan transact.sh write.sh undo.sh entries.awk rollback.sh after-reboot ||
            stop 70 "$why"
        trap '' HUP INT PIPE # from here on the change has a process, or is taken for one that was cut off
        status activating "$(plan run)" || stop 70 "$why"
        if script=$(plan rollback); then
            # shellcheck disable=SC2016 # expanded by the inner shell
            as_user sh -c '{ echo "#!/bin/sh" && cat; } >"$1.new" && chmod 700 -- "$1.new" &&
                mv -f -- "$1.new" "$1"' rollback "$script" <"$T/rollback.sh"
        fi
        if manager=$(unit_manager); then
            # The unit gets the variables of our environment about places and Nix stores.
            set --
            for name in HOME PATH ${SUDO_UID:+SUDO_UID} $(env | sed -n 's/^\(\(NIX\|XDG\)_[A-Z_]*\)=.*/\1/p'); do
                set -- "$@" "--setenv=$name"
            done
            systemd-run "$manager" --quiet --collect --unit="workspace-tuning-$(plan run)" \
                "$@" sh "$self" run "$T" >/dev/null || stop 70 "systemd-run: the unit did not start"
            say started unit
        else
            # The user's processes write to this log as well.
            { setsid sh "$self" run "$T" </dev/null 2>&1 | gathering "$T/log" 2048; } >/dev/null 2>&1 &
            say started process
        fi
        if [ -n "${3:-}" ]; then sh "$self" wait "$T" "$3"; fi
        ;;
    run)
        trap '' HUP INT PIPE
        # shellcheck source=converge/remote/undo.sh
        . "$T/undo.sh"
        why='' && itself
        put "$T/process" "$mine" || {
            status undone "nothing was changed: $why"
            exit 70
        }
        trap 'case $(word) in kept | undone | broken) ;; *) undo "its process failed" ;; esac' EXIT
        after_reboot arm
        if activate; then
            await
            case $decision in
                confirm) keep || undo "not kept: $why" ;;
                undo) undo "not proved" ;;
                late) undo "nobody confirmed it within $(plan deadline) s" ;;
                *) undo "$why" ;;
            esac
        elif [ "$(word)" != undone ]; then
            undo "$why"
        fi
        after_reboot disarm
        ;;
    wait)
        uptime_s >/dev/null && from=$up_ limit=$((up_ + $3)) begun=$((up_ + 15))
        past=${4:-activating}
        while uptime_s >/dev/null && [ "$up_" -lt "$limit" ]; do
            word >/dev/null
            case $past:$now in
                activating:activating | decided:activat* | decided:keeping | *:undoing | *:) ;;
                *) break ;;
            esac
            if [ -f "$T/process" ] && ! runs && [ "$(word)" = "$now" ]; then gone; fi
            if [ ! -f "$T/process" ] && [ "$up_" -ge "$begun" ]; then
                case $now in
                    '') say none && exit ;; # the payload never came
                    activating) gone ;;     # its starter was stopped before it began
                esac
            fi
            nap "$from" 0.1
        done
        # The process still writes a little after its last word, so wait for its end.
        word >/dev/null
        case $now in kept | undone | broken)
            uptime_s >/dev/null && limit=$((up_ + 10))
            while runs && uptime_s >/dev/null && [ "$up_" -lt "$limit" ]; do nap "$from" 0.05; done
            ;;
        esac
        say "status $(text_of "$T/status")"
        tried=$(text_of "${T%/transaction}/trial/state")
        if [ -n "$tried" ]; then say "trial $tried"; fi
        left=$(text_of "$T/deadline")
        case $left in '' | *[!0-9]*) ;; *) say "left $((left - $(uptime_s)))" ;; esac
        ;;
    decide)
        case $3 in confirm | undo) ;; *) exit 64 ;; esac
        if [ -n "${4:-}" ] && [ ! -e "$T/decision" ]; then
            # The new record comes with the decision. A decision that was cut off does not count.
            (umask 077 && base64 -d 2>/dev/null | gzip -dc >"$T/.written" 2>/dev/null)
            sum=$(sha256sum <"$T/.written")
            if [ "${sum%% *}" != "$4" ] || ! mv -fT -- "$T/.written" "$T/written"; then
                rm -f -- "$T/.written"
                stop 70 "$T: the record of the proof did not arrive whole"
            fi
        fi
        # The first decision counts: the file is made only where there is none, on every file system.
        if ! text=$({ set -C && printf '%s\n' "$3" | cat >"$T/decision"; } 2>&1) &&
            ! grep -qx -e confirm -e undo "$T/decision" 2>/dev/null; then
            rm -f -- "$T/decision"
            stop 70 "$T/decision: cannot be written: $(reason "$text")"
        fi
        # To make the new system the boot default, or to list it, writes to the boot partition.
        sh "$self" wait "$T" 600 decided
        if [ -n "${5:-}" ] && [ "$(word)" = kept ] && [ ! -e "${T%/transaction}/trial/state" ] &&
            holds_lock "$(plan run)" "$5" && rm -f -- "$5"; then say released; fi
        ;;
    undo)
        trap '' HUP INT PIPE # the caller may be gone before the undo is whole
        if [ "$(word)" = undone ]; then
            say "status $(text_of "$T/status")"
            exit
        fi
        ready "$@"
        # shellcheck source=converge/remote/undo.sh
        . "$T/undo.sh"
        alone "$@"
        shift 2
        case $(word) in
            undone) ;;
            kept | broken)
                at_work
                roll_back "$@"
                ;;
            *)
                # The starter may have been killed before the process could note itself.
                begun=$(($(uptime_s) + 10))
                while [ "$(word)" = activating ] && [ ! -e "$T/process" ] &&
                    [ "$(plan boot)" = "$(boot_id)" ] && [ "$(uptime_s)" -lt "$begun" ]; do
                    sleep 0.1
                done
                if runs; then
                    sh "$self" decide "$T" undo
                    exit
                fi
                at_work
                undo "its process was gone"
                after_reboot disarm
                ;;
        esac
        say "status ${standing:-$(text_of "$T/status")}"
        ;;
    reboot)
        if runs; then exit; fi
        ready "$@"
        # shellcheck source=converge/remote/undo.sh
        . "$T/undo.sh"
        alone "$@"
        # A change that is tried at this boot has a unit of its own, which decides.
        case $(text_of "${T%/transaction}/trial/state") in
            booting* | proving*) after_reboot disarm && exit ;;
        esac
        case $(word) in
            activat* | keeping | undoing)
                word_before=$(word)
                undo_home
                give_home_back
                undo_files
                conclude "rebooted before it was confirmed" 2>/dev/null
                ;;
        esac
        after_reboot disarm
        ;;
    restore)
        T=$3 && read_plan
        # shellcheck source=converge/remote/undo.sh
        . "$T/undo.sh"
        restore "$2" "$4"
        ;;
    remember | recall) "$verb" ;;
    discard) discard "$2" "$3" ;;
    trial)
        trial=${T%/transaction}/trial
        rm -rf -- "$trial"
        mkdir -- "$trial" || stop 70 "$trial: cannot be made"
        (umask 077 && base64 -d >"$trial/.payload") 2>/dev/null
        sum=$(sha256sum <"$trial/.payload")
        [ "${sum%% *}" = "$3" ] || stop 70 "$trial: what is to be tried did not arrive whole"
        text=$(tar -xf "$trial/.payload" -C "$trial" --no-same-owner --no-same-permissions 2>&1) ||
            stop 70 "$trial: cannot be written: $(reason "$text")"
        rm -f -- "$trial/.payload"
        said=$(sh "$trial/trial.sh" can "$T")
        case $said in "trial ready "*) sync -- "$trial"/* ;; *) rm -rf -- "$trial" ;; esac
        say "${said:-trial none it gave no answer}"
        ;;
    tried) # tried T SECONDS: print how the trial stands, once it is decided or the time is over
        limit=$(($(uptime_s) + $3)) trial=${T%/transaction}/trial
        while :; do
            first_of "$trial/state"
            tried=${status_:-none}
            case $tried in booting* | proving* | keeping* | undoing*) ;; *) break ;; esac
            [ "$(uptime_s)" -lt "$limit" ] || break
            sleep 1
        done
        printf '%s\n' "trial $tried" "boot $(boot_id)"
        if [ -r "$trial/found" ]; then sed 's/^/found /' "$trial/found"; fi
        ;;
    answer | restart) sh "${T%/transaction}/trial/trial.sh" "$verb" "$T" ${3:+"$3"} ;;
    word) word ;;
    kept) kept "$3" ;;
    forget) shift 2 && forget "$@" ;;
    prune) prune "${3:-$T}" "$(plan run 2>/dev/null)" ;;
esac
