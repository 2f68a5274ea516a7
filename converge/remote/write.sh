# Replace the managed files of one workspace in one step: each wholly old or wholly new.
#
# usage: write.sh RUN WORK LOCK CONTROLLER KEEP <payload
#   RUN         id of the run, [0-9a-z-]+
#   WORK        directory of this run's record, 0700: new bytes, old bytes, the manifest
#   LOCK        path of the workspace's lock, or "" (root's part works under the user's lock)
#   CONTROLLER  "HOST USER PID SINCE": who runs this, for whoever finds the workspace locked
#   KEEP        "keep" leaves the lock in place for the steps that follow, "release" removes it
# The payload is a base64 tar: "manifest" and the new bytes as "new/N". Manifest lines:
#   dir   - MODE -      PATH   a directory to make where it is missing
#   file  N MODE BEFORE PATH   BEFORE: sha256 of the bytes that were read, or "absent"
#   kde   N MODE BEFORE PATH   the same under KConfig's own lock
#   gone  N -    BEFORE PATH   a file of ours that is no longer wanted
#   sweep - -    -      PATH   what a killed run left beside a target
#   apply - -    -      PATH   a target that chezmoi manages: let it record the new state
#   end                        the last line
# MODE "keep" keeps the mode of the file that is there, 600 for a new one.
#
# Strategy: 1 take the lock; 2 unpack; 3 refuse whatever is not a plain file of ours, and stop when
# any file is no longer the one that was read; 4 stage every file beside its target and sync; 5 take
# KConfig's locks and look again; 6 keep the old bytes, then rename; 7 sync the directories.
# Up to step 5 nothing has changed. Exit: 0 done, 71 locked, 73 refused, 75 stale, 70 failed: the
# lines "wrote PATH" say what was replaced before that.
# Neither a lost connection nor Ctrl-C at a local terminal stops a rename halfway through the list.
trap '' HUP INT PIPE
run=$1 work=$2 lock=$3 controller=$4 keep=$5
staged='' kde_locks=''

digest() {
    sum=$(sha256sum <"$1") && say "${sum%% *}"
}
each() { # each LIST COMMAND...: the command for every line of the list
    lines=$1
    shift
    printf '%s' "$lines" | while IFS= read -r line; do "$@" "$line"; done
}
clean_up() {
    each "$staged" rm -f --
    each "$kde_locks" rm -f --
}
stop() { # stop CODE WORD TEXT...: say why, leave nothing behind
    code=$1
    shift
    say "$*"
    clean_up
    if [ "$code" != 71 ] && [ -n "$lock" ]; then give_back "$run" "$lock"; fi
    exit "$code"
}

# The process that lives as long as the run: sshd's for this connection, or the local controller.
session() {
    pid=$$
    while [ "${pid:-0}" -gt 1 ]; do
        name=$(cat "/proc/$pid/comm" 2>/dev/null)
        case $name in sshd*) say "$pid" && return 0 ;; esac
        if [ "$pid" = "$1" ]; then say "$pid" && return 0; fi
        pid=$(stat_field "$pid" 2)
    done
    say $$
}
holder_lives() {
    read_lock "$lock"
    lives "$anchor" "$start" "$boot"
}
# clearing: this process alone may clear a dead lock, or a fresh one could be taken for it.
clearing() {
    mine="$$ $(start_time $$) $(boot_id)"
    if ln -sT -- "$mine" "$lock.clearing" 2>/dev/null; then return 0; fi
    IFS=' ' read -r pid start boot <<EOF
$(readlink -- "$lock.clearing")
EOF
    if lives "$pid" "$start" "$boot"; then return 1; fi
    rm -rf -- "$lock.clearing" # whoever made it was killed meanwhile
    ln -sT -- "$mine" "$lock.clearing" 2>/dev/null
}
take_lock() {
    if [ -e "$lock" ] && [ ! -f "$lock" ]; then stop 70 failed "$lock: is not a regular file"; fi
    mkdir -p -- "${lock%/*}" || stop 70 failed "${lock%/*}: cannot be made"
    set -f
    # shellcheck disable=SC2086 # four words without blanks
    set -- $controller
    set +f
    anchor=$(session "$3")
    {
        say run "$run"
        say host "$1"
        say user "$2"
        say pid "$3"
        say since "$4"
        say anchor "$anchor"
        say start "$(start_time "$anchor")"
        say boot "$(boot_id)"
    } >"$lock.$run" || stop 70 failed "$lock: cannot be written"
    if ! ln -- "$lock.$run" "$lock" 2>/dev/null; then
        if holds_lock "$run" "$lock"; then
            :
        elif ! holder_lives && clearing; then
            if ! holder_lives; then rm -f -- "$lock"; fi
            ln -- "$lock.$run" "$lock" 2>/dev/null
            rm -f -- "$lock.clearing"
        fi
    fi
    rm -f -- "$lock.$run"
    if ! holds_lock "$run" "$lock"; then
        while IFS= read -r line; do say lock "$line"; done <"$lock"
        stop 71 locked
    fi
    rm -f -- "$lock".[0-9]* # of runs that were killed right here
}

# unchanged BEFORE PATH
unchanged() {
    if [ "$1" = absent ]; then [ ! -e "$2" ] && [ ! -L "$2" ]; else [ "$(digest "$2")" = "$1" ]; fi
}
# Refuse what a rename would replace although it is not ours to replace.
check() {
    [ -d "${2%/*}" ] || stop 73 refused "${2%/*}: not a directory"
    [ -O "${2%/*}" ] || stop 73 refused "${2%/*}: belongs to another user"
    if [ -L "$2" ]; then stop 73 refused "$2: is a symbolic link to $(readlink -- "$2")"; fi
    if [ -e "$2" ]; then
        [ -f "$2" ] || stop 73 refused "$2: is not a regular file"
        [ -O "$2" ] || stop 73 refused "$2: belongs to another user"
    fi
    unchanged "$1" "$2" || stop 75 stale "$2"
}

[ -z "$lock" ] || take_lock
# Whoever is not root must be able to see how a run of root stands, and to build what it wrote.
if ! (umask 022 && mkdir -p -- "${work%/*}") || ! mkdir -p -- "$work/before"; then
    stop 70 failed "$work: cannot be made"
fi
base64 -d | tar -xf - -C "$work" --no-same-owner || stop 70 failed "$work: cannot hold the new files"
# tar takes an archive that ends between two members for a whole one.
[ "$(tail -n 1 -- "$work/manifest" 2>/dev/null)" = end ] || stop 70 failed "the payload was cut off"

while IFS=' ' read -r kind number mode before path; do
    case $kind in
        dir)
            if [ -d "$path" ]; then continue; fi
            (umask 022 && mkdir -p -- "$path" && chmod "$mode" -- "$path") ||
                stop 70 failed "$path: cannot be made"
            ;;
        sweep) rm -f -- "$path" ;;
        file | kde | gone) check "$before" "$path" ;;
    esac
done <"$work/manifest"

while IFS=' ' read -r kind number mode before path; do
    case $kind in file | kde) ;; *) continue ;; esac
    stage=${path%/*}/.${path##*/}.wt-$run
    rm -f -- "$stage"
    staged=$staged$stage$newline
    # The mode is set while the file is still empty: its bytes are never readable by others. It is
    # open by then, because the mode may forbid its owner to write.
    # shellcheck disable=SC2094 # these two change its mode, and read nothing
    {
        if [ "$mode" != keep ]; then
            chmod "$mode" -- "$stage"
        elif [ -e "$path" ]; then
            cp --attributes-only --preserve=mode -- "$path" "$stage" # with its access list
        fi && cat "$work/new/$number"
    } >"$stage" || stop 70 failed "$stage: cannot be written"
done <"$work/manifest"
if [ -n "$staged" ]; then
    printf '%s' "$staged" | tr '\n' '\0' | xargs -0 sync -- || stop 70 failed "sync: not durable"
fi

# KConfig's lock is a QLockFile: process id, program, host. KDE waits while we hold it.
program=$(readlink -f "/proc/$$/exe")
take_kde_lock() { # take_kde_lock PATH OWN: OWN becomes PATH.lock, or we wait, five seconds at most
    printf '%s\n%s\n%s\n' $$ "${program##*/}" "$(uname -n)" >"$2" ||
        stop 70 failed "$2: cannot be written"
    tries=0
    until ln -- "$2" "$1.lock" 2>/dev/null; do
        owner='' host=''
        { read -r owner && read -r _ && read -r host; } <"$1.lock" 2>/dev/null
        if [ -n "$owner" ] && [ "$host" = "$(uname -n)" ] && [ ! -d "/proc/$owner" ]; then
            rm -f -- "$1.lock"
            continue
        fi
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || stop 75 stale "$1: KConfig's lock is held by process $owner"
        sleep 0.05
    done
    rm -f -- "$2"
}
while IFS=' ' read -r kind number mode before path; do
    [ "$kind" = kde ] || continue
    own=${path%/*}/.${path##*/}.wt-$run.lock
    staged=$staged$own$newline
    take_kde_lock "$path" "$own"
    kde_locks=$kde_locks$path.lock$newline
    unchanged "$before" "$path" || stop 75 stale "$path"
done <"$work/manifest"

while IFS=' ' read -r kind number mode before path; do
    case $kind in file | kde | gone) ;; *) continue ;; esac
    if [ "$before" != absent ]; then
        cp -p -- "$path" "$work/before/$number" || stop 70 failed "$path: cannot be kept"
    fi
done <"$work/manifest"
sync -- "$work"/before/* "$work/manifest" 2>/dev/null

while IFS=' ' read -r kind number mode before path; do
    case $kind in
        file | kde) mv -fT -- "${path%/*}/.${path##*/}.wt-$run" "$path" ;;
        gone) rm -f -- "$path" ;;
        *) continue ;;
    esac || stop 70 failed "$path: cannot be replaced"
    say wrote "$path"
done <"$work/manifest"
while IFS=' ' read -r kind number mode before path; do
    case $kind in file | kde | gone) say "${path%/*}" ;; esac
done <"$work/manifest" | sort -u | tr '\n' '\0' | xargs -0 -r sync -- ||
    stop 70 failed "sync: replaced, but not known to be durable"

problem=''
while IFS=' ' read -r kind number mode before path; do
    [ "$kind" = apply ] || continue
    if text=$(cm apply --force --exclude=scripts,externals "$path" 2>&1) &&
        text=$(cm verify --exclude=scripts,externals "$path" 2>&1); then
        say verified "$path"
    else
        problem="$path: chezmoi does not agree: $(printf '%s' "$text" | head -n 1)"
    fi
done <"$work/manifest"
clean_up
if [ -n "$problem" ]; then stop 70 failed "$problem"; fi
if [ -n "$lock" ] && [ "$keep" = release ]; then give_back "$run" "$lock"; fi
say 'done'
