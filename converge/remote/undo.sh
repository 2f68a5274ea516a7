# Undo a transaction. A part of transact.sh, whose functions and variables it uses.
#
# The order is reverse: the home, the system, then the files. Each part goes back to what was recorded
# before the change; what somebody else changed meanwhile is left alone and named. "trouble" collects
# what failed, with the commands to do it by hand, and "left" what was left alone. With trouble the
# transaction is broken, and a second undo does the rest.
# shellcheck shell=sh disable=SC2034,SC2154
trouble='' left='' held_up=''

# alone ARGUMENT...: become the only process that undoes this transaction; two at once would stage the
# same files. Where another one is at it, wait for its end, and end as it did, or begin anew with what
# it has left in force. A process has the first turn whose process is gone; where the disk has no room
# for a turn, the undo goes on.
alone() {
    turn=0
    itself
    until ln -sT -- "$mine" "$T/turn.$turn" 2>/dev/null; do
        IFS=' ' read -r pid start boot <<TURN
$(readlink -- "$T/turn.$turn")
TURN
        if lives "$pid" "$start" "$boot"; then
            while lives "$pid" "$start" "$boot"; do sleep 0.1; done
            case $(word) in undone | broken) say "status $(text_of "$T/status")" && exit ;; esac
            exec sh "$self" "$@"
        fi
        if [ ! -L "$T/turn.$turn" ]; then return 0; fi
        turn=$((turn + 1))
    done
    trap 'rm -f -- "$T/turn.$turn"' EXIT
}

undo_home() {
    fields home-manager || return 0
    now=$(target_of "$profile")
    number=$(number_of "$profile")
    if [ "$number" != "$old_number" ] && [ "$now" != "$new" ]; then
        left="$left; $profile is somebody else's generation $number, left alone"
        give_files_back "$new" theirs
    elif [ "$old_path" = - ]; then
        deactivate_home "$new" || trouble="$trouble; by hand: remove the links into $new"
        give_files_back "$new"
        if [ "$now" = "$new" ]; then as_user rm -f -- "$profile" "$profile-$number-link"; fi
    elif [ ! -x "$old_path/activate" ]; then
        trouble="$trouble; $old_path is gone; by hand: home-manager generations, PATH/activate"
    else
        activate_home "$old_path" || trouble="$trouble; by hand: $old_path/activate"
        give_files_back "$new"
        if [ "$(number_of "$profile")" != "$old_number" ]; then
            go_back home-manager ||
                trouble="$trouble$held_up; by hand: nix-env -p $profile --switch-generation $old_number"
        fi
    fi
}

undo_system() {
    fields nixos || return 0
    trial=${T%/transaction}/trial
    if [ -f "$trial/trial.sh" ]; then sh "$trial/trial.sh" cancel "$T" "its run was rolled back"; fi
    now=$(target_of "$profile")
    number=$(number_of "$profile")
    by_hand="by hand: $old_path/bin/switch-to-configuration switch"
    if [ "$number" != "$old_number" ] && [ "$now" != "$new" ]; then
        left="$left; $profile is somebody else's generation $number, left alone"
    elif [ "$old_path" = - ]; then
        left="$left; no system of a generation ran before: the new one is left alone until a reboot"
    elif [ ! -x "$old_path/bin/switch-to-configuration" ]; then
        trouble="$trouble; $old_path is gone; by hand: choose a generation in the boot menu"
    elif [ "$number" != "$old_number" ]; then
        if go_back nixos; then
            switch_back switch
        else
            trouble="$trouble$held_up; by hand: nix-env -p $profile --switch-generation $old_number"
            trouble="$trouble; $by_hand"
        fi
    else
        case $word_before in
            # The boot default was not changed yet.
            activat*) if [ "$(plan boot)" = "$(boot_id)" ]; then switch_back test; fi ;;
            # An earlier undo may have ended after it set the profile.
            *) switch_back switch ;;
        esac
    fi
    case $left in *"$profile is somebody else's"*) give_home_back theirs ;; *) give_home_back ;; esac
}
go_back() { # go_back LAYER: set the old generation, or make its path a new one where it was deleted
    if [ -L "$profile-$old_number-link" ]; then
        set_profile "$1" --switch-generation "$old_number"
    else
        set_profile "$1" --set "$old_path"
    fi
    case $? in
        0) ;;
        124 | 137) held_up="; another process of Nix holds $profile.lock" && return 1 ;;
        *) held_up='' && return 1 ;;
    esac
}
# switch_back test|switch: bring the system back that ran, and with "switch" the boot default. That is the
# old generation, also where another system ran: one that was only tested, or a specialisation.
switch_back() {
    as_=$1
    if [ "$as_" = switch ]; then
        default_=$(readlink -f -- "$profile-$old_number-link")
        if [ ! -x "$default_/bin/switch-to-configuration" ]; then default_=$old_path; fi
        if [ "$default_" != "$old_path" ]; then as_=boot; fi
        install_menu "$default_" "$as_"
        if switched "$default_/bin/switch-to-configuration boot" && [ "$as_" = switch ]; then return; fi
    fi
    (umask 022 && "$old_path/bin/switch-to-configuration" test)
    switched "$old_path/bin/switch-to-configuration test" || :
}
switched() { # switched COMMAND: whether the switch before this succeeded; else the command is to be done
    case $? in
        0) ;;
        4) left="$left; units failed after the switch back: systemctl --failed" ;; # it switched
        *) trouble="$trouble; by hand: $1" && return 1 ;;
    esac
}

# undo_files [PART...]: undo the files of these parts; without names, of all.
undo_files() {
    if [ ! -f "$self" ]; then
        trouble="$trouble; $self is gone, so no file was put back; by hand: $T/plan names the"
        trouble="$trouble records (live, record); the manifest in each names its files"
        return
    fi
    while IFS=' ' read -r word record as part; do
        case $word in
            live) part=plasma+session ;;
            record) part=$(words_of "$part") ;;
            *) continue ;;
        esac
        chosen "$part" "$@" || continue
        # Only root can; no effect alone.
        if [ "$as" = root ] && ! is_root; then continue; fi
        # Live files are written while activating, files of a layer before the transaction.
        begun=written
        if [ "$word" = live ] && [ "$word_before" = activating ]; then begun=begun; fi
        if [ "$as" = root ]; then
            case $record in "${T%/transaction}"/*) ;; *)
                trouble="$trouble; $record: no record of root's, so nothing was put back from there"
                continue
                ;;
            esac
            answer=$(restore "$record" "$begun")
        else
            answer=$(told sh "$self" restore "$record" "$T" "$begun")
        fi
        note "$record" "$answer"
    done <<PLAN
$(tac "$T/plan")
PLAN
}
note() { # note RECORD ANSWER: add the lines of restore.sh to trouble and left
    restored=no
    while IFS= read -r line; do
        case $line in
            "left "*) left="$left; ${line#left }" ;;
            "trouble "*) trouble="$trouble; ${line#trouble }" ;;
            restored) restored=yes ;;
        esac
    done <<ANSWER
$2
ANSWER
    if [ "$restored" = no ]; then trouble="$trouble; the files of $1 were not all looked at"; fi
}

undo() { # undo REASON [PART...]
    because=$1
    shift
    before=$(text_of "$T/status")
    before=${before%"; a rollback was begun: "*}
    word_before=${before%% *}
    # An undo of a part that is cut off does not become an undo of the whole.
    if [ "$#" = 0 ]; then status undoing "$because"; else status "$before; a rollback was begun: $*"; fi
    if ! plan run >/dev/null || ! plan boot >/dev/null || [ -z "$(parts_of "$T")" ]; then
        trouble="; $T/plan is damaged: what to undo is not known" # nor whose it is
        conclude "$because"
        return
    fi
    if chosen home-manager "$@"; then undo_home; fi
    if chosen nixos "$@"; then undo_system; fi
    undo_files "$@"
    reload_desktop
    if [ "$#" = 0 ]; then undo_record; fi
    if [ "$#" -gt 0 ] && [ -z "$trouble" ]; then
        status "$before; $because: $*$left" || not_written "$because"
    else
        conclude "$because"
    fi
}
conclude() { # conclude REASON: write the status
    if [ -n "$trouble" ]; then
        say_how
        status broken "$1$trouble$left"
    else
        status undone "$1$left" || not_written "$1"
    fi
}
not_written() { # not_written REASON: report that the status could not be written
    trouble="$trouble; $why"
    say_how
    standing="broken $1$trouble$left"
}
say_how() { # print commands that undo by hand, or the one that removes the record
    case $trouble in *"by hand: "*) return ;; esac
    trouble="$trouble; by hand: mend that and repeat the undo, or once all is as it was: "
    trouble="${trouble}rm -r -- $(quoted "${T%/transaction}")"
}

# A unit of the user that undoes the home and the files after a reboot before the decision; the system
# comes up in its old generation by itself.
after_reboot() { # after_reboot arm|disarm
    unit=$(plan after_reboot) && [ -d /run/systemd/system ] || return 0
    wants=${unit%/*}/default.target.wants
    written=$(plan written)
    open=${written%/*}/open
    if [ "$1" = disarm ]; then
        as_user rm -f -- "$unit" "$wants/${unit##*/}" "$open"
    else
        # shellcheck disable=SC2016 # expanded by the inner shell
        say "$T" | as_user sh -c 'cat >"$1"' open "$open"
        as_user mkdir -p -- "$wants" && as_user cp -- "$T/after-reboot" "$unit" &&
            as_user ln -sf -- "$unit" "$wants/${unit##*/}"
    fi
}
