# Take the last of this product off a workspace: what is left of its layers, the records, directories
# of ours that are empty. What somebody put beside them stays. Wherever it is interrupted, the same
# command does the rest.
#
# usage: remove.sh user RUN LOCK LAYERS   the user's part, the last one
#        remove.sh root RECORDS LAYERS    root's, of one user
#   LOCK      held by RUN; it lies in the directory that goes
#   RECORDS   /var/lib/workspace-tuning/runs/USER
#   LAYERS    directory that holds a layer; what somebody put there stays
# Prints "left PATH" for what stays, then "removed".
# shellcheck disable=SC2154
undone_all() { # undone_all RECORDS: nothing is in force that a record is needed for
    for transaction in "$1"/*/transaction; do
        status=$(standing_of "$transaction") || continue
        case $status in undone*) ;; *) stop 73 "$transaction/status: it is not undone" ;; esac
    done
}
take_files() { # take_files RECORDS LAYERS: of a run that stopped before it activated them
    [ -d "$2" ] && [ ! -L "$2" ] || return 0
    find "$2" -type f ! -path "*$newline*" 2>/dev/null | while IFS= read -r file; do
        if of_stopped "$1" "$file" "$(digest "$file")"; then rm -f -- "$file"; fi
    done
    find "$2" -depth -type d -empty -exec rmdir -- {} \; # at once: the one above may be empty then
}
drop_all() { # drop_all RECORDS
    for old in "$1"/[0-9]*t[0-9]*-* "$1"/.gone-*; do
        [ -e "$old" ] || continue
        case ${old##*/} in .gone-*) rm -rf -- "$old" ;; *) drop "$old" ;; esac ||
            stop 70 "$old: cannot be removed"
    done
}
left() { # left FIND_ARGUMENT...: what find has there is somebody's own
    find "$@" ! -type d 2>/dev/null | while IFS= read -r name; do say left "$name"; done
}

if [ "$1" = root ]; then
    records=$2 layers=$3 base=${2%/runs/*} runs=${2%/*}
    case $records in */workspace-tuning/runs/*) ;; *) stop 64 "$records: not the records of a user" ;; esac
    undone_all "$records"
    take_files "$records" "$layers"
    drop_all "$records"
    for old in "$runs"/[0-9]*t[0-9]*-*; do # root kept the records of all users in one place once
        if ! grep -qxF "user ${records##*/}" "$old/transaction/plan" 2>/dev/null; then continue; fi
        case $(standing_of "$old/transaction") in undone*) ;; *) stop 73 "$old: it is not undone" ;; esac
        drop "$old" || stop 70 "$old: cannot be removed"
    done
    find "$base" -depth -type d -empty -exec rmdir -- {} \; 2>/dev/null
    left "$base" -mindepth 1 \( -path "$records/*" -o ! -path "$runs/*" \)
    say removed
    exit
fi

run=$2 lock=$3 layers=$4 state=${3%/*}
case $state in */workspace-tuning/workspace) ;; *) stop 64 "$state: not the record of a workspace" ;; esac
holds_lock "$run" "$lock" || stop 71 "$lock: not held by run $run"
own "$state" || stop 73 "$why"
undone_all "$state/runs"
take_files "$state/runs" "$layers"
if [ -d "$layers" ] && [ ! -L "$layers" ]; then left "$layers" -mindepth 1; fi
drop_all "$state/runs"
for one in "$state"/* "$state"/.[!.]*; do
    case ${one#"$state/"} in
        written.json* | measurements.json* | rollback | rollback.new | open) ;;
        built | roots | undone | flakes | lock.* | .*.wt-*) ;;
        *) continue ;; # the lock is removed last; other files are not ours
    esac
    rm -rf -- "$one" || stop 70 "$one: cannot be removed"
done
rmdir -- "$state/runs" 2>/dev/null || :
give_back "$run" "$lock"
rmdir -- "$state" "${state%/*}" 2>/dev/null || : # a controller has its journals there
left "$state" -mindepth 1
say removed
