# Take the lock of a workspace: one run at a time changes it. A part of take.sh and write.sh, which set
#   run         id of the run, [0-9a-z-]+
#   lock        path of the lock
#   controller  "HOST USER PID SINCE" of the run, for a person who finds the workspace locked
# shellcheck shell=sh disable=SC2154
# session: print the process that lives as long as the run: sshd's, or the local controller.
session() {
    pid=$$
    while [ "${pid:-0}" -gt 1 ]; do
        { IFS= read -r name <"/proc/$pid/comm"; } 2>/dev/null || name=''
        case $name in sshd*) say "$pid" && return 0 ;; esac
        if [ "$pid" = "$1" ]; then say "$pid" && return 0; fi
        stat_field "$pid" 2 >/dev/null
        pid=$stat_
    done
    say $$
}
holder_lives() {
    read_lock "$lock"
    lives "$anchor" "$start" "$boot"
}
# clearing: make sure that only this process clears a dead lock; another could remove a fresh lock.
clearing() {
    itself
    if ln -sT -- "$mine" "$lock.clearing" 2>/dev/null; then return 0; fi
    IFS=' ' read -r pid start boot <<EOF
$(readlink -- "$lock.clearing")
EOF
    if lives "$pid" "$start" "$boot"; then return 1; fi
    # Its maker was killed meanwhile.
    rm -rf -- "$lock.clearing"
    ln -sT -- "$mine" "$lock.clearing" 2>/dev/null
}
take_lock() {
    if [ -e "$lock" ] && [ ! -f "$lock" ]; then stop 70 "$lock: is not a regular file"; fi
    own "${lock%/*}" || stop 70 "$why"
    [ -d "${lock%/*}" ] || mkdir -p -- "${lock%/*}" || stop 70 "${lock%/*}: cannot be made"
    set -f
    # shellcheck disable=SC2086 # four words without blanks
    set -- $controller
    set +f
    anchor=$(session "$3")
    put "$lock.$run" "run $run" "host $1" "user $2" "pid $3" "since $4" \
        "anchor $anchor" "start $(start_time "$anchor")" "boot $(boot_id)" ||
        stop 70 "$why"
    # A lock of this run, whose connection is gone, is made anew: others would take it for a dead one.
    if ! link_lock && [ -f "$lock" ] && ! holder_lives && clearing; then
        if ! holder_lives; then rm -f -- "$lock"; fi
        link_lock
        rm -f -- "$lock.clearing"
    fi
    rm -f -- "$lock.$run"
    if ! holds_lock "$run" "$lock"; then
        [ -f "$lock" ] || stop 70 "$lock: cannot be made: $(reason "$why")"
        [ -r "$lock" ] || stop 70 "$lock: cannot be read"
        while IFS= read -r line; do say lock "$line"; done <"$lock"
        end_with 71 locked
    fi
    # Left by runs that were killed here; not of a run that takes the lock at this moment.
    for left in "$lock".[0-9]*; do
        case $left in
            *.new) [ -n "$(find "$left" -mmin +1 2>/dev/null)" ] || continue ;;
            *) if read_lock "$left" && lives "$anchor" "$start" "$boot"; then continue; fi ;;
        esac 2>/dev/null
        if [ -e "$left" ]; then rm -f -- "$left"; fi
    done
}
# link_lock: make the file the lock where there is none, whole from the start, also on a file system
# without hard links. "mv -n" does not tell whether a lock exists, so its holder is read.
link_lock() {
    why=$(ln -- "$lock.$run" "$lock" 2>&1) && return 0
    if [ -e "$lock" ]; then return 1; fi
    why=$(mv -nT -- "$lock.$run" "$lock" 2>&1) && holds_lock "$run" "$lock"
}
