# Remove the records of a workspace once all is undone, and the files of a layer that no run activated.
# A part of remove.sh, and of transact.sh for root's records. After an interruption, a second call does
# the rest.
# shellcheck shell=sh disable=SC2154
undone_all() { # undone_all RECORDS: stop unless every run of the records is undone
    for transaction in "$1"/*/transaction; do
        status=$(standing_of "$transaction") || continue
        case $status in undone*) ;; *) stop 73 "$transaction/status: it is not undone" ;; esac
    done
}
take_files() { # take_files RECORDS LAYERS: remove files of runs that stopped before activating them
    [ -d "$2" ] && [ ! -L "$2" ] || return 0
    find "$2" -type f ! -path "*$newline*" 2>/dev/null | while IFS= read -r file; do
        if of_stopped "$1" "$file" "$(digest "$file")"; then rm -f -- "$file"; fi
    done
    # At once: the one above may be empty then.
    find "$2" -depth -type d -empty -exec rmdir -- {} \;
}
drop_all() { # drop_all RECORDS
    for old in "$1"/[0-9]*t[0-9]*-* "$1"/.gone-*; do
        [ -e "$old" ] || continue
        case ${old##*/} in .gone-*) rm -rf -- "$old" ;; *) drop "$old" ;; esac ||
            stop 70 "$old: cannot be removed"
    done
}
left() { # left FIND_ARGUMENT...: print "left PATH" for what find finds, which is not ours
    find "$@" ! -type d 2>/dev/null | while IFS= read -r name; do say left "$name"; done
}
discard() { # discard RECORDS LAYERS: root's of one user, .../runs/USER; prints "left PATH", "removed"
    records=$1 base=${1%/runs/*} runs=${1%/*}
    case $records in */workspace-tuning/runs/*) ;; *) stop 64 "$records: not the records of a user" ;; esac
    undone_all "$records"
    take_files "$records" "$2"
    drop_all "$records"
    # Root kept the records of all users in one place once.
    for old in "$runs"/[0-9]*t[0-9]*-*; do
        if ! grep -qxF "user ${records##*/}" "$old/transaction/plan" 2>/dev/null; then continue; fi
        case $(standing_of "$old/transaction") in undone*) ;; *) stop 73 "$old: it is not undone" ;; esac
        drop "$old" || stop 70 "$old: cannot be removed"
    done
    find "$base" -depth -type d -empty -exec rmdir -- {} \; 2>/dev/null
    left "$base" -mindepth 1 \( -path "$records/*" -o ! -path "$runs/*" \)
    say removed
}
