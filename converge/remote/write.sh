# Replace the managed files of one workspace in one step: each wholly old or wholly new.
#
# usage: write.sh RUN WORK LOCK CONTROLLER KEEP [PART] <payload
#   RUN         id of the run, [0-9a-z-]+
#   WORK        directory of this run's record, 0700: new bytes, old bytes, the manifest
#   LOCK        path of the workspace's lock, or "" (root's part works under the user's lock)
#   CONTROLLER  of the run; both as in lock.sh
#   KEEP        "keep" leaves the lock in place for the steps that follow, "release" removes it
#   PART        directory of the payload that is ours, "user" or "root"; default: all of it
# The payload is a tar.gz in base64: "manifest", the new bytes as "new/N", and for a file of KDE's the
# entries that the run changes as "entries/N" (converge/kde/back.py). Manifest lines:
#   dir   - MODE -      PATH   a directory to make where it is missing
#   file  N MODE BEFORE PATH   BEFORE: sha256 of the bytes that were read, or "absent"
#   kde   N MODE BEFORE PATH   the same under KConfig's own lock
#   link  N -    -      PATH   the user's own link to the path of the line above; it stays
#   gone  N -    BEFORE PATH   a file of a run that is no longer wanted
#   sweep - -    -      PATH   a staged file that a killed run left
#   after N - SHA256 -      digest of new/N, so that an undo knows these bytes without the file
#   apply N - -      PATH   a target that chezmoi manages: chezmoi has to note the bytes new/N
#   whole - - SHA256 -      of all lines above, so that a damaged manifest is known
#   end                        the last line
# MODE "keep" keeps the mode of an existing file; a new file gets 600.
#
# Strategy: 1 take the lock; 2 unpack; 3 refuse whatever is not a plain file of ours, and stop when
# a file has changed since it was read; 4 stage every file beside its target, keep the old bytes,
# sync; 5 take KConfig's locks, look again, rename, release the locks; 6 sync the directories; 7 make
# chezmoi note the new bytes. Before the renames nothing changes. Exit: 0 done, 71 locked, 73 refused,
# 75 stale, 70 failed: the lines "wrote PATH" name the files that were replaced before. Neither a lost
# connection nor Ctrl-C at a local terminal stops the renames halfway.
trap '' HUP INT PIPE
run=$1 work=$2 lock=$3 controller=$4 keep=$5
stages='' replaced=no

clean_up() {
    kde_unlock
    for_stages rm -f
}
for_stages() { # for_stages COMMAND...: run it once for all staged files
    if [ -n "$stages" ]; then for_lines "$stages" "$@"; fi
}
for_lines() { # for_lines LINES COMMAND...: run it with an argument for each line
    lines_=$1
    shift
    set -f
    IFS=$newline
    # shellcheck disable=SC2086 # one argument for each line
    set -- "$@" -- $lines_
    unset IFS
    set +f
    "$@"
}
at_end() { # remove staged files, and the lock if this run holds it
    clean_up
    # While no file was replaced, no undo comes that would remove the directories.
    if [ "$replaced" = no ] && [ -f "$work/made" ]; then
        sort -ru -- "$work/made" | while IFS= read -r made; do rmdir -- "$made"; done 2>/dev/null
    fi
    if [ "$1" != 71 ] && [ -n "$lock" ]; then give_back "$run" "$lock"; fi
}

check() { # check BEFORE PATH: refuse a target that is not ours, stop at a changed one
    ours "$2" || end_with 73 refused "$why"
    unchanged "$1" "$2" || end_with 75 stale "$2"
}

# failed TEXT: a copy of the file at hand; it fails as well where KDE replaces the file meanwhile
failed() {
    unchanged "$before" "$path" || end_with 75 stale "$path"
    stop 70 "$1"
}

[ -z "$lock" ] || take_lock
place "${work%/*}" || stop 70 "$why"
[ -d "$work/before" ] || mkdir -p -- "$work/before" || stop 70 "$work: cannot be made"
text=$(unpack "$work" "${6:-}" 2>&1) ||
    stop 70 "$work: cannot hold the new files: $(reason "$text")"
manifest=$(cat -- "$work/manifest" 2>/dev/null)
# tar accepts an archive that ends between two members, so the last line is checked.
[ "${manifest##*"$newline"}" = end ] || stop 70 "the payload was cut off"
rows_=$manifest$newline
# next_row: set kind, number, mode, before and path of the next line; it fails behind the last one, and
# begins anew.
next_row() {
    if [ -z "$rows_" ]; then
        rows_=$manifest$newline
        return 1
    fi
    row_=${rows_%%"$newline"*} rows_=${rows_#*"$newline"}
    kind=${row_%% *} row_=${row_#* }
    number=${row_%% *} row_=${row_#* }
    mode=${row_%% *} row_=${row_#* }
    before=${row_%% *} path=${row_#* }
}

note_missing() { # note_missing DIRECTORY: note the directories to make, which an undo removes
    missing=$1 list=''
    until [ -d "$missing" ]; do
        list=$list$missing$newline missing=${missing%/*}
        [ -n "$missing" ] || break
    done
    printf %s "$list" >>"$work/made" || stop 70 "$work/made: cannot be written"
}
# layer_alone: root who acts for a user writes nothing but the NixOS layer, which lies beside the
# records; whatever the record of that user, or an answer in the user's name, says to be a file of ours.
layer_alone() {
    [ "$for_another" = yes ] || return 0
    layer_=${work%/runs/*}/nixos
    case $kind:$path in
        *:*/../* | *:*/.. | *:*/./* | kde:* | link:* | apply:*) return 1 ;;
        # Above the layer.
        dir:*) case $layer_/ in "$path"/*) return 0 ;; esac ;;
        file:* | gone:* | sweep:*) ;;
        *) return 0 ;;
    esac
    case $path in "$layer_"/*) ;; *) return 1 ;; esac
}
while next_row; do
    layer_alone || end_with 73 refused "$path: no file of the NixOS layer; root writes no other"
    case $kind in
        dir)
            if [ -d "$path" ]; then continue; fi
            note_missing "$path"
            (umask 022 && mkdir -p -- "$path" && chmod "$mode" -- "$path") ||
                stop 70 "$path: cannot be made"
            ;;
        sweep) rm -f -- "$path" ;;
        file | kde | gone) check "$before" "$path" ;;
    esac
done

# What chezmoi has recorded of each target is kept, too. It is asked beside what follows, since its start
# takes long; a chezmoi that does not answer stops the run before anything is replaced. Whoever asks
# keeps no output of this program open, so a chezmoi that hangs holds up no failure of something else.
keep_place() { # keep the path of chezmoi's record
    exec >/dev/null 2>&1
    known=$(cm dump-config --format=json |
        sed -n 's/^ *"persistentState": *"\(\/[^"\\]*\)",*$/\1/p')
    known=${known:-${XDG_CONFIG_HOME:-$HOME/.config}/chezmoi/chezmoistate.boltdb}
    say "$known" >"$work/state/place" || rm -f -- "$work/state/place"
}
keep_note() { # keep_note NUMBER TARGET; half of a note on a full disk is none
    exec >/dev/null 2>&1
    answer=$(cm state get --bucket=entryState --key="$2") || return
    say "${answer:-absent}" >"$work/state/$1" || rm -f -- "$work/state/$1"
}
# An earlier attempt may have left one.
if [ -e "$work/state" ]; then rm -rf -- "$work/state"; fi
while next_row; do
    [ "$kind" = apply ] || continue
    if [ ! -d "$work/state" ]; then
        mkdir -- "$work/state" || stop 70 "$work/state: cannot be written"
        keep_place &
    fi
    keep_note "$number" "$path" &
done

while next_row; do
    case $kind in file | kde) ;; *) continue ;; esac
    staged "$path"
    stages=$stages$stage_$newline
    stage "$mode" "$work/new/$number" "$path" || failed "$why"
done
for_stages sync || stop 70 "sync: not durable"

# Keep the old bytes, which must be those that were read, before anything is replaced.
while next_row; do
    case $kind in file | kde | gone) ;; *) continue ;; esac
    if [ "$before" != absent ]; then
        cp -a -- "$path" "$work/before/$number" || failed "$path: cannot be kept"
        unchanged "$before" "$work/before/$number" || end_with 75 stale "$path"
    fi
done
wait
if [ -d "$work/state" ]; then
    IFS= read -r known 2>/dev/null <"$work/state/place" || stop 70 "$work/state: cannot be written"
    if [ ! -e "$known" ]; then
        note_missing "${known%/*}"
        true >"$work/state/made" || stop 70 "$work/state: cannot be written"
    fi
fi
while next_row; do
    if [ "$kind" != apply ] || [ -s "$work/state/$number" ]; then continue; fi
    asked state get --bucket=entryState --key="$path" ||
        stop 70 "$path: chezmoi does not tell what it knows of it: $why"
    say "${answer:-absent}" >"$work/state/$number" || stop 70 "$work/state: cannot be written"
done
kept_names() { # print the names of the files that an undo needs
    for name in "$work"/before/* "$work"/entries/* "$work"/state/*; do
        if [ -f "$name" ]; then say "${name#"$work/"}"; fi
    done
}
# shellcheck disable=SC2046 # names of ours, without blanks
seal "$work" record manifest made $(kept_names) || stop 70 "$why"
find "$work" -type f -exec sync -- {} + || stop 70 "$work: not durable"

# KDE waits from here on, only for a look and a rename of each file.
while next_row; do
    [ "$kind" = kde ] || continue
    kde_lock "$path" || case $? in
        1) end_with 75 stale "$path: $kde_why" ;;
        *) stop 70 "$path: $kde_why" ;;
    esac
done
while next_row; do
    case $kind in file | kde | gone) unchanged "$before" "$path" || end_with 75 stale "$path" ;; esac
done
replaced=yes
while next_row; do
    case $kind in
        file | kde) staged "$path" && mv -fT -- "$stage_" "$path" ;;
        gone) rm -f -- "$path" ;;
        *) continue ;;
    esac || stop 70 "$path: cannot be replaced"
    say wrote "$path"
done
kde_unlock
above=$newline
while next_row; do
    case $kind:$above in
        *:*"$newline${path%/*}$newline"*) ;;
        file:* | kde:* | gone:*) above=$above${path%/*}$newline ;;
    esac
done
[ "$above" = "$newline" ] || for_lines "$above" sync ||
    stop 70 "sync: replaced, but not known to be durable"

# chezmoi notes that both files are what it would write: only its record changes, so nothing that KDE
# wrote meanwhile can be lost.
problem=''
take_note() { # take_note NUMBER TARGET
    note="{\"type\":\"file\",\"mode\":$((0$(stat -c %a -- "$2"))),"
    # Note the bytes of the run, since KDE may have written the file again.
    note="$note\"contentsSHA256\":\"$(digest "$work/new/$1")\"}"
    before=$(cm state set --bucket=entryState --key="$2" --value="$note" 2>&1)
}
agrees() { # agrees TARGET...: whether the files are what chezmoi would write; else "before"
    before=$(umask "$login_umask" && cm verify --exclude=scripts,externals "$@" 2>&1) && return 0
    before=$(printf '%s' "$before" | grep -v 'warning: ')
    # Without a word it is the mode, or KDE has written again.
    [ -z "$before" ]
}
disagrees() { # disagrees TARGET
    problem="$1: chezmoi does not agree: $(say "${before:-it gave no reason}" | head -n 1)"
}
# All are asked in one call, beside the notes, which change no answer. If that call fails, each is asked
# alone.
set --
while next_row; do
    if [ "$kind" = apply ]; then set -- "$@" "$path"; fi
done
asking=''
if [ "$#" -gt 0 ]; then
    agrees "$@" >/dev/null 2>&1 &
    asking=$!
fi
noted=$newline
while next_row; do
    [ "$kind" = apply ] || continue
    if take_note "$number" "$path"; then noted=$noted$path$newline; else disagrees "$path"; fi
done
agree=no
if [ -n "$asking" ] && wait "$asking"; then agree=yes; fi
for target in "$@"; do
    case $noted in *"$newline$target$newline"*) ;; *) continue ;; esac
    if [ "$agree" = yes ] || agrees "$target"; then say verified "$target"; else disagrees "$target"; fi
done
clean_up
if [ -n "$problem" ]; then stop 70 "$problem"; fi
if [ -n "$lock" ] && [ "$keep" = release ]; then give_back "$run" "$lock"; fi
say 'done'
