# Restore the files of one record, each by itself. A part of the programs with undo.sh.
#
# A file that still has the bytes of the run, or of a run that stopped before it came into force, gets
# its old bytes and mode; a file that the run made is removed. In a KDE file that somebody wrote since,
# only the entries of the run go back (entries.awk). A file that changes meanwhile is read again; at the
# third time KConfig's lock is held during the merge. A failure is printed, and the next file is
# restored: a second undo does the rest.
#
# Prints "left TEXT" for what somebody else changed and stays, "trouble TEXT" for what could not be
# restored, and at its end "restored".
# shellcheck shell=sh disable=SC2034,SC2154

restore() { # restore RECORD begun|written
    record=$1 back=$1/undo run=$(plan run)-undo
    list_=''
    if moved_home; then
        say trouble "$HOME is gone, and its record lies in $moved_ now; if that is the same home, by hand:" \
            "ln -s -- $(quoted "$moved_") $(quoted "$HOME"), then repeat the undo"
        say restored
        return
    fi
    mend "$record" record
    code=$? modes=$list_
    case $code:$2 in
        0:* | 2:begun) ;; # 2: not sealed; nothing is replaced before a record is sealed
        *)
            why="$why; by hand: put back what is missing; once all is as it was, rm -r -- "
            say trouble "$why$(quoted "${record%/*}")"
            ;;
    esac
    if sound "$record"; then
        while IFS=' ' read -r kind number mode before path; do
            case $kind in
                file | kde | gone)
                    last=$path
                    leftover=${path%/*}/.${path##*/}.wt-$(plan run) # staged by a killed run
                    if [ -f "$leftover" ] && [ -O "$leftover" ]; then rm -f -- "$leftover"; fi
                    behind_link
                    restore_file || say trouble "$path: $why"
                    ;;
                # The file of the link is restored; another thing in its place is not ours.
                link)
                    if [ "$(readlink -f -- "$path")" != "$last" ]; then
                        say left "no link to $last any more, left alone: $path"
                    fi
                    ;;
            esac
        done <"$record/manifest"
        while IFS=' ' read -r kind number mode before path; do
            if [ "$kind" = apply ]; then restore_note "$2" || say trouble "$path: $why"; fi
        done <"$record/manifest"
        remove_notes
        remove_made
    elif [ "$2" = written ]; then # if only begun, nothing was replaced without a whole record
        say trouble "$record/manifest is damaged: what the run wrote by it is not known"
    fi
    say restored
}
# behind_link: where the user has made the file a link to a file of the user's own in the home since, as a run
# does set "path" to that file.
behind_link() {
    if [ ! -L "$path" ] || [ "$before" = absent ] || [ "$for_another" = yes ]; then return 0; fi
    there_=$(readlink -f -- "$path") && [ -f "$there_" ] && [ -O "$there_" ] && [ -O "${there_%/*}" ] &&
        [ "$(stat -c %u -- "$path")" = "$uid_" ] || return 0
    case $there_ in
        *"$newline"*) ;;
        "$(readlink -f -- "$HOME")"/*) path=$there_ ;;
    esac
}
# moved_home: whether the home of the plan is gone, and the record lies at its place in another
# directory, "moved_": somebody gave the home another name.
moved_home() {
    if [ -e "$HOME" ] || [ -L "$HOME" ]; then return 1; fi
    within_=${record%/*} && within_=${within_#"$HOME/"}
    moved_=${T%"/$within_/transaction"}
    [ "$moved_" != "$T" ] && [ -d "$moved_" ]
}
remove_made() { # the directories that the run made, where nothing of anybody's is in them
    plain_file "$record/made" || return 0
    sort -ru -- "$record/made" | while IFS= read -r made; do
        rmdir -- "$made" 2>/dev/null || :
    done
}
by_hand() { # print what a person can do; no command takes with it what somebody else wrote
    if [ "$held" = unreadable ] && [ -f "$path" ]; then
        say "by hand: make it readable, then repeat the undo"
    elif [ "$held" = unreadable ]; then
        say "by hand: move it away$(if [ "$before" != absent ]; then say ", then $(copy_back)"; fi)"
    elif [ "$held" != "$written" ]; then
        say "by hand: mend that, then repeat the undo; somebody wrote to the file since"
    elif [ "$before" = absent ]; then
        say "by hand: rm -- $(quoted "$path")"
    else
        say "by hand: $(copy_back)"
    fi
}
copy_back() { # print the command that restores the whole file
    if [ "$(digest "$record/before/$number")" = "$before" ]; then
        say "cp -p -- $(quoted "$record/before/$number") $(quoted "$path")"
    else
        say "put back a copy of your own" # the record has none
    fi
}
what_is_there() { # print why the file cannot be read
    if [ -f "$path" ]; then
        say "it cannot be read"
    elif [ -d "$path" ]; then
        say "a directory is in its place"
    elif [ -p "$path" ]; then
        say "a pipe is in its place"
    elif [ -L "$path" ]; then
        say "a link to nothing is in its place"
    else
        say "no regular file is in its place"
    fi
}

# restore_file: restore the file of kind, number, mode, before, path. 1: failed, with "why".
restore_file() {
    attempt=0 written=$(after "$record" "$number")
    while :; do
        attempt=$((attempt + 1))
        if [ "$kind" = kde ] && [ "$attempt" -gt 3 ]; then
            if ! kde_lock "$path"; then
                why="$kde_why; $(by_hand)"
                return 1
            fi
        fi
        restore_once
        code=$?
        kde_unlock
        case $code in
            0) return 0 ;;
            75) if [ "$attempt" -le 5 ]; then continue; fi ;;
            # A copy of a file, or of its attributes, fails where KDE replaces the file meanwhile.
            *) if [ "$attempt" -le 5 ] && ! unchanged "$held" "$path"; then continue; fi ;;
        esac
        staged "$path"
        rm -f -- "$stage_"
        why="$why; $(by_hand)"
        return 1
    done
}
clear_locks() { # clear_locks LOCK...: what a shell left that was killed while it held them, as ours are
    for lock_ in "$@"; do
        if [ ! -f "$lock_" ] || [ ! -O "$lock_" ]; then continue; fi
        kde_read "$lock_"
        if [ "$app" = "${executable##*/}" ] && kde_stale "$lock_"; then kde_clear "$lock_" || :; fi
    done
}
restore_once() { # 0 done, 75 it changed meanwhile, 70 failed
    why='it kept changing'
    held=$(digest "$path")
    if [ "$held" = "$before" ]; then
        if [ "$kind" = kde ]; then clear_locks "$path.lock" "$path.lock.rmlock"; fi
        restore_mode
        return
    elif [ "$held" = unreadable ]; then
        why=$(what_is_there)
        return 70
    elif [ "$held" != "$written" ] && ! of_stopped "${record%/*/*}" "$path" "$held"; then
        restore_entries
        return
    fi
    ours "$path" || return 70
    if [ "$before" = absent ]; then
        put_back gone
    elif [ "$(digest "$record/before/$number")" != "$before" ]; then
        why="its record is damaged: $record/before/$number does not hold the bytes from before"
        return 70
    else
        mode_then=$(mode_before) || return 70
        # "keep" keeps an access list as well.
        if [ "$mode_then" = "$(stat -c %a -- "$path" 2>/dev/null)" ]; then mode_then=keep; fi
        stage "$mode_then" "$record/before/$number" "$path" "$record/before/$number" || return 70
        put_back staged
    fi
}
mode_before() { # print the mode of the file before the run; the copy may have another
    mode_=$(say "$modes" | sed -n "s|^\([0-7]*\) before/$number\$|\1|p")
    if [ -n "$mode_" ]; then say "$mode_"; else stat -c %a -- "$record/before/$number" 2>/dev/null; fi
}
restore_mode() { # restore the old mode of a file that has its old bytes
    if [ "$before" = absent ] || [ "$mode" = keep ] || [ "$mode" = - ]; then return 0; fi
    mode_then=$(mode_before) || return 0
    mode_now=$(stat -c %a -- "$path" 2>/dev/null)
    if [ "$mode_now" != "$mode_then" ] && [ "0$mode_now" = "0$mode" ]; then
        chmod "$mode_then" -- "$path" || {
            why="its mode cannot be made $mode_then"
            return 70
        }
    fi
}
# restore_entries: take the run's entries out of a file that somebody else wrote since.
restore_entries() {
    entries=$record/entries/$number
    if [ "$held" != absent ] && { [ "$kind" = kde ] || [ -e "$entries" ]; } &&
        [ "$(text_of "$entries" | tail -n 1)" != end ]; then
        why="its record is damaged: $entries is not whole"
        return 70
    elif [ "$held" = absent ] || ! grep -q '^entry ' "$entries" 2>/dev/null; then
        say left "changed since, left alone: $path"
        return 0
    fi
    ours "$path" || return 70
    why="$back: cannot hold the merged file"
    mkdir -p -- "$back" && true >"$back/report" || return 70
    od -An -v -tx1 -w1 -- "$path" >"$back/bytes" || return 70
    REPORT=$back/report awk -f "$T/entries.awk" "$entries" "$back/bytes" \
        >"$back/digits" || return 70
    [ "$(tail -n 1 -- "$back/report")" = end ] || return 70
    basenc --base16 -d -- "$back/digits" >"$back/merged" || return 70
    if grep -q '^set ' "$back/report"; then
        stage keep "$back/merged" "$path" || return 70
        put_back staged || return
    fi
    while IFS=' ' read -r word rest; do
        if [ "$word" = left ]; then say left "changed since, left alone: $path $rest"; fi
    done <"$back/report"
}
# put_back staged|gone: look again, and replace the file; under KConfig's lock for a KDE file.
put_back() {
    why="$path: not durable"
    staged "$path"
    if [ "$1" = staged ]; then sync -- "$stage_" || return 70; fi
    if [ "$kind" = kde ] && [ -z "$kde_taken" ] && ! kde_lock "$path"; then
        why=$kde_why
        return 70
    fi
    if ! unchanged "$held" "$path"; then
        why='it kept changing'
        return 75
    fi
    if [ "$1" = gone ]; then
        rm -f -- "$path"
    else
        mv -fT -- "$stage_" "$path"
    fi || {
        why='it cannot be replaced'
        return 70
    }
    kde_unlock
    sync -- "${path%/*}" || {
        why='it is back, but not known to be durable'
        return 70
    }
}
# restore_note begun|written: restore chezmoi's own record of a target, unless chezmoi changed the record
# since. Without this, chezmoi would take the old bytes for an edit of the user's.
restore_note() {
    kept=$record/state/$number
    # The run came no further.
    if [ "$1" = begun ] && [ ! -e "$kept" ]; then return 0; fi
    known=$(text_of "$record/state/place" | head -n 1)
    if ! command -v chezmoi >/dev/null; then
        # Without its record there is nothing to give back.
        if [ -n "$known" ] && [ ! -e "$known" ]; then return 0; fi
        why="chezmoi is not found, so what it remembers of it stays; by hand: install chezmoi"
        if [ -n "$known" ]; then why="$why, or without it rm -- $(quoted "$known")"; fi
        why="$why; then repeat the undo"
        return 1
    fi
    asked state get --bucket=entryState --key="$path" || {
        why="what chezmoi remembers of it could not be asked: $why"
        return 1
    }
    if [ "$(stamp_in "$answer")" != "$(after "$record" "$number")" ]; then return 0; fi
    known=$(text_of "$kept")
    case $known in
        absent) asked state delete --bucket=entryState --key="$path" ;;
        '{'*'}') asked state set --bucket=entryState --key="$path" --value="$known" ;;
        *)
            why="its record is damaged: $kept does not hold what chezmoi remembered"
            return 1
            ;;
    esac || {
        why="what chezmoi remembered of it could not be given back: $why"
        return 1
    }
}
stamp_in() { printf '%s' "$1" | tr -d '\n' | sed -n 's/.*"contentsSHA256": *"\([0-9a-f]*\)".*/\1/p'; }
remove_notes() { # remove chezmoi's state file that the run brought about, if it is empty
    if [ ! -e "$record/state/made" ] || ! command -v chezmoi >/dev/null; then return 0; fi
    known=$(text_of "$record/state/place" | head -n 1)
    if [ ! -f "$known" ] || ! asked state dump --format=json; then return 0; fi
    if ! say "$answer" | grep -qvx -e '{' -e '}' -e ' *"[A-Za-z]*": {},\{0,1\}'; then rm -f -- "$known"; fi
}
