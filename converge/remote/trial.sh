# Try a change that needs a reboot: boot it once, prove it, and keep it; else the machine goes back to
# the generation before by itself. It runs on the workspace, as whoever activates.
#
# usage: trial.sh can T            print "trial ready LOADER", or "trial none REASON" where this machine
#                                  cannot try a change
#        trial.sh prepare T NUMBER PATH PROFILE   make PATH a generation that the loader lists, and keep
#                                  the boot default; on failure nothing stays changed
#        trial.sh arm T            make the loader boot it once at the next start
#        trial.sh boot T           run by the unit at each boot while the trial is open
#        trial.sh answer T keep|undo   the person's answer
#        trial.sh cancel T REASON  end the trial before its boot
#        trial.sh restart T        reboot into it, where this was allowed
# T is the directory of the transaction; the trial is beside it, in T/../trial:
#   options  lines "confirm proof|person|both", "session SECONDS", "answer SECONDS",
#            "reboot asked|allowed", "desktop yes|no", from the controller
#   checks   questions after the boot, and rules for their answers (prove.sh)
#   plan     lines "new PATH", "number N", "old PATH" (what stays the default), "old_number N",
#            "profile PATH", "loader NAME", "entry ID", "boot ID" (when it was armed), added here
#   state    one line: WORD REASON; WORD is one of booting, proving, keeping, kept, undoing, undone,
#            went-back, broken, none (not tried)
#   found    what each check found; failed: units that failed before; journal: of a failed boot
#
# Strategy: the installer of the *old* generation is run, which lists all generations and makes its own
# the default, so the default never changes. The new generation is only booted by the loader's own
# one-time entry, which the loader clears before it boots the entry. After a power cut at any step the
# old generation is the default, and the unit goes on from the recorded state.
# shellcheck shell=sh disable=SC2034,SC2154
R=${T%/transaction}/trial
self=$T/transact.sh
trouble='' left='' # set by an undo in transact.sh
UNIT=workspace-tuning-trial.service
# The way back is not collected by Nix meanwhile, whatever generations are deleted.
ROOTED=${NIX_STATE_DIR:-$root/nix/var/nix}/gcroots/workspace-tuning-trial

state() { # state WORD REASON...
    put "$R/state" "$*" && printf '%s %s %s\n' "$(date +%s)" "$(boot_id)" "$*" >>"$R/history"
}
state_word() {
    IFS=' ' read -r now _ 2>/dev/null <"$R/state" || now=''
    say "$now"
}
value() { # value FILE WORD: the rest of its last line of that word
    sed -n "s/^$2 //p" "$R/$1" 2>/dev/null | tail -n 1
}
known() { # set the variables that were noted of this trial
    new=$(value plan new) number=$(value plan number) profile=$(value plan profile)
    old=$(value plan old) old_number=$(value plan old_number) loader=$(value plan loader)
    entry=$(value plan entry)
    find_loader
    [ -n "$new" ] && [ -n "$old" ]
}
differs() { # differs A B: whether two systems differ in a part that only a boot brings in
    for part_ in kernel initrd kernel-modules; do
        [ "$(readlink -f -- "$1/$part_")" = "$(readlink -f -- "$2/$part_")" ] || return 0
    done
    ! cmp -s -- "$1/kernel-params" "$2/kernel-params"
}
# booted_system: print the system whose entry the loader booted, from the kernel's command line.
booted_system() {
    read -r line_ <"$root/proc/cmdline"
    # shellcheck disable=SC2086 # its words
    for word_ in $(set -f && printf '%s\n' $line_); do
        case $word_ in init=*/init) booted_=${word_#init=} && say "${booted_%/init}" && return ;; esac
    done
    readlink -f -- "$root/run/booted-system"
}
system_link() { readlink -f -- "$profile-$1-link" 2>/dev/null; }
current() { # print the number of the profile's generation
    current_=$(readlink -- "$profile") && current_=${current_%-link} && say "${current_##*-}"
}

# -- before the boot ------------------------------------------------------------------------------

can() {
    if ! find_loader; then
        say "trial none $why"
    elif [ ! -d /run/systemd/system ]; then
        say "trial none systemd does not run here"
    elif ! lasts "${T%/transaction}"; then
        say "trial none ${T%/transaction} is in memory, so a restart loses what is to be proved"
    elif ! units >/dev/null; then
        say "trial none $why"
    else
        say "trial ready $loader"
    fi
}
# units: print a directory for a unit that exists after a reboot into any generation. The usual directory
# of NixOS is a link into the store; systemd also reads system.control, which no generation replaces.
PLACES="$root/etc/systemd/system $root/etc/systemd/system.control"
units() {
    why='no directory for a unit can be written'
    for place_ in $PLACES; do
        case $(readlink -f -- "$place_") in /nix/store/*) continue ;; esac
        if ! (umask 022 && mkdir -p -- "$place_") 2>/dev/null || [ ! -w "$place_" ]; then continue; fi
        if lasts "$place_"; then
            say "$place_"
            return 0
        fi
        why="$place_ is in memory, so a restart loses the unit that proves the change"
    done
    return 1
}
lasts() { # lasts PATH: whether a restart leaves it, as far as its file system tells
    case $(findmnt -nro FSTYPE -T "$1" 2>/dev/null) in tmpfs | ramfs) return 1 ;; esac
}
# armed_for PLACE: print the transaction that the unit there is for, as it is written in the unit.
armed_for() { sed -n 's/^ExecStart=.* boot //p' "$1/$UNIT" 2>/dev/null; }
another() { # print the transaction of another change that is on trial here; fails without one
    for place_ in $PLACES; do
        of_=$(armed_for "$place_")
        if [ -n "$of_" ] && [ "$of_" != "$(in_unit "$T")" ] && [ -e "${of_%/*}/trial/state" ]; then
            say "$of_"
            return 0
        fi
    done
    return 1
}
# in_unit PATH: print a path as a word of a unit's command line; users of a domain have a backslash.
in_unit() { say "$1" | sed 's/\\/\\\\/g; s/%/%%/g; s/[$]/$$/g'; }
arm_unit() {
    units >/dev/null || return 1
    place=$place_
    if ! (
        umask 022
        mkdir -p -- "$place/multi-user.target.wants"
        cat >"$place/$UNIT.new" <<TEXT
[Unit]
Description=Prove a workspace-tuning change that is booted once
ConditionPathExists=$(say "$R/state" | sed 's/%/%%/g')
After=basic.target systemd-user-sessions.service

[Service]
Type=exec
Environment=SUDO_UID=$(id -u "$(plan user)") HOME=/root
ExecStart=/bin/sh $(in_unit "$R/trial.sh") boot $(in_unit "$T")
TimeoutStopSec=5
TEXT
        sync -- "$place/$UNIT.new" && mv -f -- "$place/$UNIT.new" "$place/$UNIT" &&
            ln -sf -- "../$UNIT" "$place/multi-user.target.wants/$UNIT"
    ) || ! sync -- "$place/multi-user.target.wants" || ! systemctl daemon-reload; then
        why="$place/$UNIT: cannot be written"
        return 1
    fi
    case " $(systemctl show -p Wants --value multi-user.target) " in
        *" $UNIT "*) ;;
        *) why="systemd does not see $place/$UNIT" && return 1 ;;
    esac
}
disarm_unit() {
    if another >/dev/null; then return; fi
    for place in $PLACES; do
        rm -f -- "$place/multi-user.target.wants/$UNIT" "$place/$UNIT" 2>/dev/null
    done
    rm -f -- "$ROOTED" 2>/dev/null
    systemctl daemon-reload 2>/dev/null
}

# way_back BOOTED: print the system to go back to: the running one, or, where the change of the running
# one was undone since, the system that this change would have gone back to.
way_back() {
    back_=$1 newest_=-1
    for plan_ in "${T%/*/transaction}"/*/trial/plan "${T%/*/*/transaction}"/*/*/trial/plan; do
        grep -qxF "new $1" "$plan_" 2>/dev/null || continue
        of_=${plan_%/trial/plan} state_=''
        IFS=' ' read -r state_ _ 2>/dev/null <"$of_/trial/state"
        if [ "$state_" = kept ] && parts_of "$of_/transaction" | grep -qx 'nixos in-force'; then
            back_=$1
            break
        fi
        if ! number_=$(number_in "$of_") || [ "$number_" -le "$newest_" ]; then continue; fi
        newest_=$number_ back_=$(sed -n 's/^old //p' "$plan_" | tail -n 1)
    done
    say "${back_:-$1}"
}
prepare() { # prepare NUMBER PATH PROFILE: NUMBER is the generation that the profile is at
    profile=$3 new=$(plan nixos) && new=${new%% *}
    kept_number=$1 kept=$(system_link "$1")
    booted=$(booted_system)
    find_loader || return 1
    if one=$(another); then why="the change of $one is on trial" && return 1; fi
    if [ -z "$kept" ] || [ ! -x "$kept/bin/switch-to-configuration" ]; then
        why="generation $1 of $profile is gone, so there is none to come back to" && return 1
    fi
    back=$(way_back "$booted") # a system that has booted before
    old=$kept old_number=$1
    if differs "$kept" "$back"; then
        # The present default was never booted itself.
        old='' old_number=''
        for link in "$profile"-*-link; do
            if [ "$(readlink -f -- "$link")" = "$back" ]; then
                old=$back old_number=${link%-link} old_number=${old_number##*-}
            fi
        done
        [ -n "$old" ] || { why="$back has proved that it boots, and is no generation any more" && return 1; }
    fi
    differs "$new" "$booted" || { why='nothing of it needs a reboot' && return 1; }
    case $new in "$old" | "$kept") why='it is a generation already' && return 1 ;; esac
    number=$(value plan number)
    put "$R/plan" "new $new" "old $old" "old_number $old_number" "profile $profile" \
        "kept_number $kept_number" "loader $loader" || return 1
    state none "being prepared" || return 1
    earlier=$(printf '%s\n' "$profile"-*-link) # Nix takes the newest of them again, if it has that path
    (umask 022 && nix-env --profile "$profile" --set "$new") ||
        { why="$profile: no new generation" && return 1; }
    number=$(current)
    # The profile stays at the boot default, and the new generation is listed too.
    if ! nix-env --profile "$profile" --switch-generation "$kept_number" ||
        ! install_menu "$old" boot; then
        why='the boot loader could not be installed with the new entry'
    elif ! entry=$(entry_of "$new"); then
        why="the boot menu does not list generation $number$(menu_trouble)"
    elif ! back_entry=$(entry_of "$old"); then
        why="the boot menu has no place for generation $old_number beside it (configurationLimit)"
    elif ! default_is "$old"; then
        why="the boot menu's default is not generation $old_number, whatever the installer was told"
    elif ! once "$back_entry" || ! never; then # tried with what is booted anyway
        why="$loader takes no one-time entry: what it was told is not kept"
    elif ! printf '%s\n' "number $number" "entry $entry" >>"$R/plan"; then
        why="$R/plan: cannot be written"
    elif arm_unit; then
        systemctl list-units --failed --plain --no-legend --no-pager 2>/dev/null |
            sed 's/^[^A-Za-z0-9]*//; s/ .*//' | sort >"$R/failed"
        sync -- "$R/plan" "$R/failed"
        ln -sfn -- "$old" "$ROOTED" 2>/dev/null
        return 0
    fi
    because=$why
    disarm_unit
    if nix-env --profile "$profile" --switch-generation "$kept_number"; then
        printf '%s\n' "$earlier" | grep -qxF -- "$profile-$number-link" ||
            nix-env --profile "$profile" --delete-generations "$number"
        install_menu "$kept" boot
    fi
    why=$because
    return 1
}
arm() {
    known || { why="$R/plan is damaged" && return 1; }
    boots >"$R/boots" # the clock may go backwards: a later boot is one that is not among these
    printf '%s\n' "boot $(boot_id)" >>"$R/plan" && sync -- "$R/plan" &&
        state booting "generation $number is booted once at the next start; $(value plan old_number) stays the default" || return 1
    sync # Nix syncs no store path by itself, and the loader is told only what is whole on the disk
    once "$entry" || {
        why="the one-time entry $entry could not be set"
        state undone "$why"
        disarm_unit
        return 1
    }
}
cancel() { # cancel REASON: end the trial; the caller undoes the transaction
    armed_=$(value plan boot)
    case $(state_word) in
        none) ;;
        booting | proving | keeping)
            # In a later boot the unit would go on, and keep what is being undone. It does not stop itself.
            if [ "$armed_" != "$(boot_id)" ] && [ "${UNDONE_BY:-}" != unit ]; then
                systemctl stop "$UNIT" 2>/dev/null
                no_dialog
            fi
            ;;
        *) return 0 ;;
    esac
    if [ "$(state_word)" = kept ]; then return 0; fi
    known && never
    state undone "$*"
    disarm_unit
}
restart() {
    [ "$(state_word)" = booting ] || stop 64 "no trial waits for its boot"
    [ "$(value options reboot)" = allowed ] || stop 64 "a reboot was not allowed (trial_reboot)"
    say restarting
    systemctl --no-block reboot
}

# -- after the boot -------------------------------------------------------------------------------

boot() {
    word=$(state_word)
    case $word in booting | proving | keeping | undoing) ;; *) disarm_unit && return ;; esac
    if [ "$word" = booting ] && [ "$(value plan boot)" = "$(boot_id)" ]; then return; fi
    known || { ends broken "$R/plan is damaged: what was tried is not known" && return; }
    if [ "$(sh "$self" word "$T")" = keeping ]; then sh "$self" kept "$T" "$number"; fi
    case $word in
        keeping) keep && return ;;
        undoing) undo_all undone "$(sed 's/^undoing //' "$R/state")" && return ;;
    esac
    never # the entry may still be set, where a person chose another one in the menu
    if [ "$(booted_system)" = "$new" ]; then
        prove
    else
        went_back "$word"
    fi
}
# given_up: whether somebody has ended the trial meanwhile, as a rollback does.
given_up() { case $(state_word) in booting | proving | keeping | undoing) return 1 ;; esac }
# choose_new: make the new system the profile's generation, also where its generation was deleted.
choose_new() {
    if [ "$(system_link "$number")" = "$new" ]; then
        nix-env --profile "$profile" --switch-generation "$number"
    else
        nix-env --profile "$profile" --set "$new" && number=$(current) &&
            printf '%s\n' "number $number" >>"$R/plan"
    fi
}
keep() {
    if given_up; then return; fi
    now=$(current)
    case $now in
        "$number" | "$(value plan kept_number)") ;;
        *)
            undo_all undone "$profile was switched to generation $now by somebody else meanwhile"
            return
            ;;
    esac
    state keeping "generation $number" || { ends broken "$why" && return; }
    if choose_new && install_menu "$new" boot && default_is "$new"; then
        sync
        ends kept "generation $number was booted, proved and is the default now"
        tell "Kept: the change of run $(plan run) was proved after the reboot."
        return
    fi
    nix-env --profile "$profile" --switch-generation "$(value plan kept_number)" &&
        install_menu "$old" boot
    undo_all undone "the boot loader did not take generation $number as its default"
}
# undo_all WORD REASON: undo the home and the files too. The system goes back with a reboot.
undo_all() {
    if given_up; then return; fi
    end=$1
    shift
    state undoing "$*"
    answer=$(export UNDONE_BY=unit && gathered sh "$self" undo "$T" | grep '^status ' | tail -n 1)
    answer=${answer#status }
    case ${answer%% *} in undone) ;; *) end=broken && set -- "$*; ${answer:-the undo gave no answer}" ;; esac
    ends "$end" "$@"
    if [ "$(booted_system)" != "$new" ]; then return; fi
    case $(value options reboot) in
        allowed) systemctl --no-block reboot ;;
        *) tell "Undone: $*. Restart the machine: it comes up in the generation before." ;;
    esac
}
ends() { # ends WORD REASON; where that cannot be written, the next boot goes on
    state "$@" && disarm_unit
}
boots() { # print the id of each boot that the journal has; a journal in memory has this one only
    journalctl --list-boots --no-pager -q 2>/dev/null | grep -oE '[0-9a-f]{32}'
}
went_back() { # went_back WORD: the machine runs the old generation, and the new one was not proved
    [ -e "$R/boots" ] || value plan boot | tr -d - >"$R/boots" # armed by an older version
    earlier=$(boots | grep -vxF "$(boot_id | tr -d -)")
    last=$(say "$earlier" | grep -vxF -f "$R/boots" | tail -n 1)
    if [ "$1" = proving ]; then
        because="the machine went down while generation $number was being proved"
    elif [ "$(system_link "$number")" != "$new" ]; then
        because="generation $number was deleted before it was booted"
    else
        because="generation $number did not come as far as its proof"
    fi
    if [ -z "$earlier" ]; then
        because="$because; no journal of earlier boots is kept here"
    elif [ -z "$last" ]; then
        because="$because; that boot left no journal: it ended before one was written, or another entry was chosen"
    else
        # Keep the last errors of that boot for a person, without the log's own fields.
        { journalctl -b "$last" -p err -o short-monotonic --no-pager -q -n 40 &&
            say -- && journalctl -b "$last" -o short-monotonic --no-pager -q -n 20; } 2>/dev/null |
            tr -cd '\11\12\40-\176' | cut -c 1-300 >"$R/journal"
        line=$(grep -v '^--$' "$R/journal" | head -n 1 | sed 's/^\[ *[0-9.]*\] [^ ]* //' | cut -c 1-160)
        because="$because; its journal: ${line:-nothing was wrong in it}"
    fi
    undo_all went-back "$because"
    tell "The change of run $(plan run) was undone: $because"
}

case $verb in
    can) can ;;
    prepare)
        shift 2
        if prepare "$@"; then
            say "trial prepared $number"
        else
            state none "$why"
            say "trial none $why"
        fi
        ;;
    arm) if arm; then say "trial armed $number"; else say "failed $why" && exit 1; fi ;;
    cancel) shift 2 && cancel "$@" ;;
    restart) restart ;;
    boot) boot ;;
    answer) answer "$3" ;;
    *) exit 64 ;;
esac
