# Activate a change, wait for the word that it is proved, keep it; else undo it. Runs on the
# workspace in a process of its own, so that a lost connection or controller changes nothing.
#
# usage: transact.sh start  T DEADLINE <payload   unpack the transaction into T and begin it
#        transact.sh wait   T SECONDS [WORD]      until it is past WORD (default: activating)
#        transact.sh decide T confirm|undo        say what was found; repeating it changes nothing
#        transact.sh undo   T [PART...]           undo a kept one, or one whose process is gone;
#                                                 parts: system home live (default: all of it)
#        transact.sh run    T                     the process itself
#        transact.sh reboot T                     the user's unit after a reboot in between
#        transact.sh restore RECORD T begun|written  the user's files, for a process of root
#        transact.sh prune  RUNS                  the user's old records, likewise
# T is a directory of whoever activates, root where NixOS is part of the transaction. It holds
#   plan    lines: "run ID", "deadline SECONDS", "user NAME",
#           "live RECORD", "record RECORD user|root", "written PATH", "after_reboot PATH",
#           "rollback PATH" (a script for a person there, from rollback.sh),
#           "system|home NEW PROFILE OLD_NUMBER OLD_PATH" ("-" where there is no old one)
#   live    payload of write.sh: the files that take effect as soon as they are written
#   status  one line: WORD REASON; WORD is one of activating, activated, keeping, kept, undoing,
#           undone, broken (undo failed: the reason and "by hand" lines say what is left to do)
#
# Strategy of run: 1 write the live files; 2 activate the system without making it the boot
# default, then the home; 3 wait for the decision, no longer than the deadline on the monotonic
# clock; 4 confirm: each new path becomes a generation of its profile, the system the boot default;
# or undo in reverse order, from what was recorded before: generation numbers, never "previous".
# A reboot before step 4 comes up in the old system; the user's unit made in step 1 then undoes the
# rest. A profile that somebody else moved meanwhile is theirs: it is left alone, and said.
umask 022
verb=$1 T=$2 standing=''
self=$T/transact.sh

uptime_s() {
    read -r seconds _ </proc/uptime
    say "${seconds%.*}"
}
status() { # status WORD REASON...: whole or not at all
    standing=$* # also where it cannot be written
    printf '%s\n' "$*" >"$T/.status" && sync -- "$T/.status" && mv -f -- "$T/.status" "$T/status"
}
word() {
    read -r now _ <"$T/status" 2>/dev/null || now=''
    say "$now"
}
plan() { # plan WORD: the rest of the first line that begins with it
    while IFS=' ' read -r key rest; do
        if [ "$key" = "$1" ]; then
            say "$rest"
            return 0
        fi
    done <"$T/plan"
    return 1
}
runs() { # whether the process of this transaction is still there
    IFS=' ' read -r pid start boot <"$T/process" 2>/dev/null && lives "$pid" "$start" "$boot"
}
as_user() { # the user's part, also where the process is root's
    user=$(plan user)
    if [ "$(id -un)" = "$user" ]; then
        "$@"
    else
        uid=$(id -u "$user") && home=$(getent passwd "$user" | cut -d: -f6) &&
            runuser -u "$user" -- env HOME="$home" USER="$user" LOGNAME="$user" \
                XDG_RUNTIME_DIR="/run/user/$uid" "$@"
    fi
}
number_of() { # number_of PROFILE: its current generation, or "-"
    if ! link=$(readlink -- "$1" 2>/dev/null); then
        say -
        return 0
    fi
    link=${link%-link}
    say "${link##*-}"
}

# Let the user's running desktop read its files again; where none runs there is nobody to ask.
reload_desktop() {
    bus=/run/user/$(id -u "$(plan user)")/bus
    if [ "$(id -un)" = "$(plan user)" ]; then bus=${XDG_RUNTIME_DIR:-${bus%/bus}}/bus; fi
    if [ ! -S "$bus" ]; then return 0; fi
    as_user timeout 20 systemctl --user daemon-reload
    as_user timeout 20 busctl --user --auto-start=no call org.kde.KWin /KWin org.kde.KWin reconfigure
    as_user timeout 20 busctl --user --auto-start=no call \
        org.kde.baloo / org.kde.baloo.main updateConfig
    return 0
}

# unit_manager: the systemd that a process of ours outlives its starter in. The user's own is none
# where it ends with the last session of the user: there a process that left its session stays.
unit_manager() {
    [ -d /run/systemd/system ] || return 1
    if [ "$(id -u)" = 0 ]; then
        systemctl show-environment >/dev/null 2>&1 && say --system
    else
        [ -e "/var/lib/systemd/linger/$(id -un)" ] &&
            systemctl --user show-environment >/dev/null 2>&1 && say --user
    fi
}

# fields KIND: new, profile, old_number, old_path of the layer, or failure where it has no part.
fields() {
    line=$(plan "$1") || return 1
    set -f
    # shellcheck disable=SC2086 # four words: store paths and profiles without blanks
    set -- $line
    set +f
    # shellcheck disable=SC2034 # read by undo.sh
    new=$1 profile=$2 old_number=$3 old_path=$4
}

activate_home() { # activate_home GENERATION: the caller sets the profile where the release can
    extension=before-$(plan run)
    if grep -q -e driver-version "$1/activate"; then
        as_user env HOME_MANAGER_BACKUP_EXT="$extension" "$1/activate" --driver-version 1
    else
        as_user env HOME_MANAGER_BACKUP_EXT="$extension" "$1/activate"
    fi
}
await() { # await: decision is confirm, undo or late
    end=$(($(uptime_s) + $(plan deadline)))
    say "$end" >"$T/deadline"
    status activated "$(plan run)"
    decision=none
    while [ "$decision" = none ]; do
        if [ -f "$T/decision" ]; then
            read -r decision <"$T/decision"
        elif [ "$(uptime_s)" -ge "$end" ]; then
            decision=late
        else
            sleep 0.2
        fi
    done
}

# What may be gone back to stays: the garbage collector does not take it while the record is there.
hold() {
    mkdir -p -- "$T/roots"
    for layer in system home; do
        if fields "$layer" && [ "$old_path" != - ]; then
            nix-store --add-root "$T/roots/$layer" --indirect --realise "$old_path" >/dev/null ||
                say "not held: $old_path"
        fi
    done
}

# prune RUNS [KEPT]: the newest ten records are kept; with KEPT, those that it has as well, so that
# the parts of one run that belong to root and to the user go together.
prune() {
    find "$1" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*t[0-9]*-*' | sort |
        if [ -n "${2:-}" ]; then cat; else head -n -10; fi |
        while IFS= read -r old; do
            if [ -z "${2:-}" ] || [ ! -d "$2/${old##*/}" ]; then rm -rf -- "$old"; fi
        done
}

activate() {
    hold
    if record=$(plan live); then
        record=${record% user}
        answer=$(as_user sh "$T/write.sh" "$(plan run)" "$record" "" "- - - -" keep <"$T/live")
        say "$answer"
        case $answer in *done) ;; *)
            reason=$(say "$answer" | grep -e '^stale ' -e '^refused ' -e '^failed ' | head -n 1)
            why=${reason:-the files could not be written}
            if say "$answer" | grep -q '^wrote '; then return 1; fi # some were: they are undone
            status undone "nothing was changed: $why"
            return 1
            ;;
        esac
    fi
    if fields system; then
        "$new/bin/switch-to-configuration" test
        code=$?
        case $code in
            0) ;;
            4) why="the system was switched, but units failed (exit 4)" && return 1 ;;
            *) why="switch-to-configuration test: exit $code" && return 1 ;;
        esac
    fi
    if fields home; then
        activate_home "$new" || { why="home-manager's activation: exit $?" && return 1; }
    fi
    reload_desktop
}

keep() {
    status keeping "$(plan run)"
    for layer in system home; do
        fields "$layer" || continue
        now=$(number_of "$profile")
        if [ "$(readlink -f -- "$profile" 2>/dev/null)" = "$new" ]; then
            : # an older home-manager made the generation itself
        elif [ "$now" != "$old_number" ]; then
            why="$profile was switched to generation $now by somebody else meanwhile"
            return 1
        else
            set_profile "$layer" --set "$new" || { why="$profile: no new generation" && return 1; }
        fi
        if [ "$layer" = system ]; then
            "$new/bin/switch-to-configuration" boot || { why="no boot default: exit $?" && return 1; }
        fi
    done
    if written=$(plan written); then
        cat "$written" >"$T/written-before" 2>/dev/null || : # empty: there was no record
        # shellcheck disable=SC2016 # expanded by the inner shell
        as_user sh -c 'umask 077; cat >"$1.new" && sync -- "$1.new" && mv -f -- "$1.new" "$1"' \
            written "$written" <"$T/written" || { why="$written: cannot be written" && return 1; }
    fi
    numbers=''
    for layer in system home; do
        if fields "$layer"; then numbers="$numbers $layer $(number_of "$profile")"; fi
    done
    status kept "$(plan run)$numbers"
    if written=$(plan written) && [ -d "${written%/*}/runs" ]; then
        mine=${T%/*/transaction} theirs=${written%/*}/runs
        as_user sh "$self" prune "$theirs"
        if [ "$mine" != "$theirs" ]; then prune "$mine" "$theirs"; fi
    fi
}
set_profile() { # set_profile LAYER ARGUMENTS...: as whoever the profile belongs to
    layer_of=$1
    shift
    if [ "$layer_of" = home ]; then
        as_user nix-env --profile "$profile" "$@"
    else
        nix-env --profile "$profile" "$@"
    fi
}

case $verb in
    start)
        mkdir -p -- "$T" || exit 70
        # Of an attempt before this one, that found a file changed.
        rm -f -- "$T/process" "$T/decision" "$T/deadline"
        if ! base64 -d | tar -xf - -C "$T" --no-same-owner || ! say "boot $(boot_id)" >>"$T/plan" ||
            ! status activating "$(plan run)"; then
            say "failed $T: cannot be written"
            exit 70
        fi
        if place=$(plan rollback); then
            # shellcheck disable=SC2016 # expanded by the inner shell
            as_user sh -c '{ echo "#!/bin/sh" && cat; } >"$1.new" && chmod 700 -- "$1.new" &&
                mv -f -- "$1.new" "$1"' rollback "$place" <"$T/rollback.sh"
        fi
        if manager=$(unit_manager); then
            # The unit gets of our environment what decides about places and Nix stores.
            set --
            for name in HOME PATH ${SUDO_UID:+SUDO_UID} $(env | sed -n 's/^\(\(NIX\|XDG\)_[A-Z_]*\)=.*/\1/p'); do
                set -- "$@" "--setenv=$name"
            done
            systemd-run "$manager" --quiet --collect --unit="workspace-tuning-$(plan run)" \
                "$@" sh "$self" run "$T" >/dev/null || exit 70
            say started unit
        else
            setsid sh "$self" run "$T" </dev/null >"$T/log" 2>&1 &
            say started process
        fi
        ;;
    run)
        trap '' HUP INT PIPE
        # shellcheck source=converge/remote/undo.sh
        . "$T/undo.sh"
        say $$ "$(start_time $$)" "$(boot_id)" >"$T/process"
        why=''
        trap 'case $(word) in kept | undone | broken) ;; *) undo "its process failed" ;; esac' EXIT
        after_reboot arm
        if activate; then
            await
            case $decision in
                confirm) keep || undo "not kept: $why" ;;
                undo) undo "not proved" ;;
                *) undo "nobody confirmed it within $(plan deadline) s" ;;
            esac
        elif [ "$(word)" != undone ]; then
            undo "$why"
        fi
        after_reboot disarm
        ;;
    wait)
        limit=$(($(uptime_s) + $3)) begun=$(($(uptime_s) + 10))
        past=${4:-activating}
        while [ "$(uptime_s)" -lt "$limit" ]; do
            now=$(word)
            case $past:$now in
                activating:activating | decided:activat* | decided:keeping | *:undoing | *:) ;;
                *) break ;;
            esac
            if [ -f "$T/process" ] && ! runs && [ "$(word)" = "$now" ]; then
                say "gone $now"
                exit 0
            fi
            if [ -z "$now" ] && [ "$(uptime_s)" -ge "$begun" ]; then
                say none # its payload never came, and no process would read it now
                exit 0
            fi
            sleep 0.1
        done
        say "status $(cat "$T/status")"
        if [ -f "$T/deadline" ]; then say "left $(($(cat "$T/deadline") - $(uptime_s)))"; fi
        ;;
    decide)
        case $3 in confirm | undo) ;; *) exit 64 ;; esac
        # The first word stands: confirming twice, or undoing after confirming, changes nothing here.
        say "$3" >"$T/.decision" && ln -- "$T/.decision" "$T/decision" 2>/dev/null
        rm -f -- "$T/.decision"
        sh "$self" wait "$T" 120 decided
        ;;
    undo)
        # shellcheck source=converge/remote/undo.sh
        . "$T/undo.sh"
        shift 2
        case $(word) in
            undone) ;;
            kept | broken) undo "rolled back" "$@" ;;
            *)
                if runs; then
                    sh "$self" decide "$T" undo
                    exit
                fi
                undo "its process was gone"
                after_reboot disarm
                ;;
        esac
        say "status ${standing:-$(cat "$T/status")}"
        ;;
    reboot)
        # shellcheck source=converge/remote/undo.sh
        . "$T/undo.sh"
        if runs; then exit; fi
        case $(word) in
            activat* | keeping | undoing)
                word_before=$(word)
                undo_home
                undo_files
                conclude "rebooted before it was confirmed" 2>/dev/null
                ;;
        esac
        after_reboot disarm
        ;;
    prune) prune "$T" ;;
    restore)
        T=$3
        # shellcheck source=converge/remote/undo.sh
        . "$T/undo.sh"
        restore "$2" "$4"
        ;;
esac
