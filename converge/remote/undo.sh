# How a transaction is undone: read by transact.sh, whose functions and variables it uses.
#
# In reverse order: the home, the system, then the files. Each part is undone from what was recorded
# before the change; what somebody else changed meanwhile is theirs, is left alone, and is said.
# "trouble" collects what failed, with the commands that do it by hand; "left" what was left alone.
# shellcheck shell=sh disable=SC2154
trouble='' left=''

# Without an older generation: take away the links that this one made, and give back what it moved.
deactivate_home() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_user sh -c '
        cd "$1/home-files" && find . \( -type f -o -type l \) | while IFS= read -r name; do
            link=$HOME/${name#./}
            case $(readlink -- "$link") in "$1"/home-files/* | /nix/store/*-home-manager-files/*)
                rm -f -- "$link"
                if [ -e "$link.$2" ]; then mv -T -- "$link.$2" "$link"; fi ;;
            esac
        done' deactivate "$(readlink -f -- "$1")" "before-$(plan run)"
}

# The bytes and modes from before, for every file that still holds what this run wrote: written as
# everything is written, by write.sh. Prints what was left alone and what failed.
restore() { # restore RECORD TRANSACTION
    back=$1/undo
    mkdir -p -- "$back/new" || return 1
    while IFS=' ' read -r kind number _ before path; do
        case $kind in
            file | kde | gone) ;;
            *) continue ;;
        esac
        held=$(digest "$path")
        if [ "$held" = "$before" ]; then
            continue
        elif [ "$held" != "$(digest "$1/new/$number")" ]; then
            say "changed since, left alone: $path" >&3
        elif [ "$before" = absent ]; then
            say "gone $number - $held $path"
        else
            cp -p -- "$1/before/$number" "$back/new/$number" || return 1
            if [ "$kind" = gone ]; then kind="file"; fi
            mode=$(stat -c %a -- "$1/before/$number")
            # "keep" keeps an access list as well.
            if [ "$mode" = "$(stat -c %a -- "$path" 2>/dev/null)" ]; then mode=keep; fi
            say "$kind $number $mode $held $path"
        fi
    done <"$1/manifest" 3>&1 >"$back/manifest"
    if grep -q -e '^file ' -e '^kde ' -e '^gone ' "$back/manifest"; then
        say end >>"$back/manifest"
        tar -C "$back" -cf - manifest new | base64 |
            sh "$2/write.sh" "$(plan run)-undo" "$back/record" '' '- - - -' keep |
            grep -v -e '^wrote ' -e '^done$'
    fi
    # chezmoi takes note of a target that is again what its source says; others it would overwrite.
    grep '^apply ' "$1/manifest" | while IFS=' ' read -r _ _ _ _ path; do
        if in_step verify "$path"; then in_step apply --force "$path"; fi
    done
}
in_step() { cm "$@" --exclude=scripts,externals >/dev/null 2>&1; } # in_step VERB [OPTION] TARGET
digest() { # digest PATH: sha256 of a file, or "absent"
    if sum=$(sha256sum 2>/dev/null <"$1"); then say "${sum%% *}"; else say absent; fi
}

undo_home() {
    fields home || return 0
    now=$(readlink -f -- "$profile" 2>/dev/null)
    number=$(number_of "$profile")
    if [ "$number" != "$old_number" ] && [ "$now" != "$new" ]; then
        left="$left; $profile is somebody else's generation $number"
    elif [ "$old_path" = - ]; then
        deactivate_home "$new" || trouble="$trouble; by hand: remove the links into $new"
        if [ "$now" = "$new" ]; then as_user rm -f -- "$profile"; fi
    elif [ ! -x "$old_path/activate" ]; then
        trouble="$trouble; $old_path is gone; by hand: home-manager generations, PATH/activate"
    else
        activate_home "$old_path" || trouble="$trouble; by hand: $old_path/activate"
        if [ "$(number_of "$profile")" != "$old_number" ]; then
            go_back home ||
                trouble="$trouble; by hand: nix-env -p $profile --switch-generation $old_number"
        fi
    fi
}

undo_system() {
    fields system || return 0
    now=$(readlink -f -- "$profile" 2>/dev/null)
    number=$(number_of "$profile")
    by_hand="by hand: $old_path/bin/switch-to-configuration switch"
    if [ "$number" != "$old_number" ] && [ "$now" != "$new" ]; then
        left="$left; $profile is somebody else's generation $number"
    elif [ "$old_path" = - ]; then
        left="$left; no system of a generation ran before: it stays until a reboot"
    elif [ ! -x "$old_path/bin/switch-to-configuration" ]; then
        trouble="$trouble; $old_path is gone; by hand: choose a generation in the boot menu"
    elif [ "$number" != "$old_number" ]; then
        if go_back system; then
            switch_back switch
        else
            trouble="$trouble; by hand: nix-env -p $profile --switch-generation $old_number; $by_hand"
        fi
    elif [ "$(plan boot)" = "$(boot_id)" ]; then
        switch_back test
    fi
}
go_back() { # go_back LAYER: to the old generation; its path becomes a new one where it was deleted
    if [ -L "$profile-$old_number-link" ]; then
        set_profile "$1" --switch-generation "$old_number"
    else
        set_profile "$1" --set "$old_path"
    fi
}
switch_back() { # switch_back test|switch: exit 4 is a system that was switched, with failed units
    "$old_path/bin/switch-to-configuration" "$1"
    case $? in
        0) ;;
        4) left="$left; units failed after the switch back: systemctl --failed" ;;
        *) trouble="$trouble; $by_hand" ;;
    esac
}

# undo_files [PART...]: the files of these parts, of all where none is named.
undo_files() {
    while IFS=' ' read -r word record as part; do
        case $word in
            live) part=live ;;
            record) ;;
            *) continue ;;
        esac
        if [ ! -f "$record/manifest" ] || ! chosen "$part" "$@"; then continue; fi
        if [ "$as" = root ] && [ "$(id -u)" != 0 ]; then continue; fi # without effect by themselves
        if [ "$as" = root ]; then
            said=$(restore "$record" "$T")
        else
            said=$(as_user sh "$self" restore "$record" "$T")
        fi
        if [ -n "$said" ]; then left="$left; $said"; fi
    done <<PLAN
$(tac "$T/plan")
PLAN
}
chosen() { # chosen PART [PART...]: whether it is among the others, or there are no others
    part_=$1
    shift
    [ "$#" -gt 0 ] || return 0
    for one in "$@"; do if [ "$one" = "$part_" ]; then return 0; fi; done
    return 1
}

# The record of what was last written, where this transaction had replaced it.
undo_record() {
    written=$(plan written) && [ -f "$T/written-before" ] || return 0
    if [ -s "$T/written-before" ]; then
        # shellcheck disable=SC2016 # expanded by the inner shell
        as_user sh -c 'umask 077; cat >"$1.new" && mv -f -- "$1.new" "$1"' \
            written "$written" <"$T/written-before"
    else
        as_user rm -f -- "$written"
    fi
}

undo() { # undo REASON [PART...]
    because=$1
    shift
    before=$(cat "$T/status")
    status undoing "$because"
    if chosen home "$@"; then undo_home; fi
    if chosen system "$@"; then undo_system; fi
    undo_files "$@"
    reload_desktop
    if [ "$#" = 0 ]; then undo_record; fi
    if [ -n "$trouble" ]; then
        status broken "$because$trouble$left"
    elif [ "$#" -gt 0 ]; then
        status "$before; $because: $*$left"
    else
        status undone "$because$left"
    fi
}

# A unit of the user that undoes the home and the files when a reboot comes first; the system then
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
