# Read and keep the records of runs on the workspace: the parts that are in force, what was written last,
# and which records are removed. A part of transact.sh; T is the transaction.
# shellcheck shell=sh disable=SC2034,SC2154
verb=$1 T=$2

status() { # status WORD REASON...: write the status, wholly or not at all; else "why"
    # Set also where it cannot be written.
    standing=$*
    put "$T/status" "$*"
}
word() { # print the status's word; also "now"
    regular "$T/status"
    IFS=' ' read -r now _ 2>/dev/null <"$file_" || now=''
    say "$now"
}
# The plan is read once: a shell that reads a line of a file asks the kernel for each byte.
read_plan() {
    planned_=''
    regular "$T/plan"
    while IFS= read -r one; do planned_=$planned_$one$newline; done 2>/dev/null <"$file_"
}
plan() { # plan WORD...: print the rest of the plan's first line that begins with one of these words
    wanted_=" $* " left_=$planned_
    while [ -n "$left_" ]; do
        line_=${left_%%"$newline"*} left_=${left_#*"$newline"}
        key_=${line_%% *} line_=${line_#"${line_%% *}"}
        case $wanted_ in *" $key_ "*) say "${line_# }" && return ;; esac
    done
    return 1
}
read_plan
# fields LAYER: set new, profile, old_number and old_path of nixos or home-manager (system and home in
# older records); fails where the layer is not a part of this change, or the line has other words.
fields() {
    case $1 in
        nixos | system) line=$(plan nixos system) || return 1 ;;
        *) line=$(plan home-manager home) || return 1 ;;
    esac
    set -f
    # shellcheck disable=SC2086 # four words: store paths and profiles without blanks
    set -- $line
    set +f
    [ "$#" = 4 ] || return 1
    new=$1 profile=$2 old_number=$3 old_path=$4
}

# -- root and the user ----------------------------------------------------------------------------

# rooted: whether this is root acting for another user. Root then opens nothing below a home: a process
# of the user does the user's part. It can neither block root for ever nor give root anything but the
# content of a file that root has made.
is_root() { [ "$uid_" = 0 ]; }
rooted() { is_root && [ -f "$T/plan" ] && [ "$(plan user)" != "${login:-$(id -un)}" ]; }
if [ "$for_another" = yes ] || rooted; then
    system_places_alone
    # The group is the user's own, so that the user's processes can read the record.
    umask 027
fi
ACTIVATION_S=1800 BRIEF_S=120 GATHER_S=5

nap() { # nap SINCE SECONDS: pause between two looks, briefly in the first five seconds after SINCE
    uptime_s >/dev/null
    if [ "$up_" -lt $(($1 + 5)) ]; then sleep 0.03; else sleep "$2"; fi
}
as_user() { for_user "$ACTIVATION_S" "$@"; } # as_user COMMAND...: run it as the user, also from root
briefly() { for_user "$BRIEF_S" "$@"; }      # the same for quick commands
# The plan has the PATH and the directories of the user's programs, as the reading found them: a unit of
# the user has another PATH, and sudo drops the variables. Without them chezmoi would be missing or read
# another source, and home-manager another home. Only the user's processes get them.
# gone: end a wait for a change that has no process, with the reason where nothing can be written
gone() { put "$T/.room" room && why='' && rm -f -- "$T/.room"; say "gone $now $why" && exit; }
places() { if where=$(plan places); then printf ':%s' "$where"; fi; }
variable_of() { # variable_of LINE: NAME=PATH of a line of the plan, else failure
    case $1 in "variable HOME="* | "variable XDG_"*_HOME=*) variable=${1#variable } ;; *) return 1 ;; esac
}
if [ -f "$T/plan" ] && [ "$for_another" = no ] && ! rooted; then
    if where=$(plan places); then PATH=$PATH:$where; fi
    set -f && IFS=$newline
    for one in $planned_; do if variable_of "$one"; then export "${variable?}"; fi; done
    unset IFS && set +f
fi
for_user() { # for_user SECONDS COMMAND...
    seconds=$1
    shift
    if ! rooted; then
        "$@"
        return
    fi
    user=$(plan user)
    uid=$(id -u "$user") && home=$(getent passwd "$user" | cut -d: -f6) || return 1
    while IFS= read -r one; do
        if variable_of "$one"; then set -- "$variable" "$@"; fi
    done <"$T/plan"
    timeout -k 10 "$seconds" runuser -u "$user" -- env -u SUDO_UID HOME="$home" USER="$user" \
        LOGNAME="$user" XDG_RUNTIME_DIR="/run/user/$uid" PATH="$PATH$(places)" "$@"
}
# told COMMAND...: as_user, and print the first 64 KiB of the command's output.
told() { told_within "$ACTIVATION_S" "$@"; }
told_within() { # told_within SECONDS COMMAND...
    if rooted; then gathered for_user "$@"; else for_user "$@"; fi
}
# gathered COMMAND...: run it, and print the first 64 KiB of its output. A process of root's gathers the
# output from a pipe: a process of the user that keeps this open for ever neither fills root's disk nor
# holds root up.
gathered() {
    told_=$(mktemp -d "$T/.told.XXXXXX") && mkfifo -m 600 -- "$told_/pipe" || return 1
    gathering "$told_/said" 128 "$told_/whole" <"$told_/pipe" &
    gatherer_=$!
    "$@" >"$told_/pipe"
    code_=$?
    ended_=$(($(uptime_s) + GATHER_S))
    until [ -e "$told_/whole" ] || { uptime_s >/dev/null && [ "$up_" -ge "$ended_" ]; }; do
        sleep 0.02
    done
    kill -KILL "-$gatherer_" 2>/dev/null
    cat -- "$told_/said" 2>/dev/null
    rm -rf -- "$told_"
    return "$code_"
}
# gathering FILE BLOCKS [WHOLE]: write standard input to FILE, at most so many blocks of 512 bytes, then
# make the file WHOLE. What is more is read and dropped, so that nobody who writes is stopped. It is a
# session of its own, to be killed as a whole.
gathering() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    exec setsid sh -c '(trap "" XFSZ && ulimit -f "$2" && exec cat >"$1")
        cat >/dev/null
        if [ -n "$3" ]; then true >"$3"; fi' gathering "$1" "$2" "${3:-}" >/dev/null 2>&1
}
# valid PATH: whether it is a path directly in the store that Nix knows to be whole. Root runs nothing
# else, because the user could replace a link at any time.
valid() {
    store=${NIX_STORE_DIR:-/nix/store}
    case ${1#"$store"/} in
        "$1" | '' | .* | *[!0-9A-Za-z+._?=-]*) return 1 ;;
    esac
    nix-store --check-validity "$1" 2>/dev/null
}
# invalid: print the first path of the plan that root must not run; fails where there is none.
invalid() {
    rooted || return 1
    for layer in nixos home-manager; do
        if ! fields "$layer"; then
            plan "$layer" || continue
            return 0
        fi
        for one in "$new" "$old_path"; do
            if [ "$one" != - ] && ! valid "$one"; then
                say "$one"
                return 0
            fi
        done
    done
    return 1
}

alone() { itself; } # undo.sh has more, but not in an older record
at_work() { runs || put "$T/process" "$mine" || :; } # note this process: runs wait for its end

# -- parts ----------------------------------------------------------------------------------------

in_force() { # print the parts of this change that are not undone, a line each
    parts_of "$T" | while IFS=' ' read -r part state_; do
        if [ "$state_" != undone ]; then say "$part"; fi
    done
}
note_parts() { # note_parts STATE [PART...]: note the state of these parts; without names, of all
    state_=$1
    shift
    list_=$(parts_of "$T" | while IFS=' ' read -r part old_; do
        if chosen "$part" "$@"; then say "$part $state_"; else say "$part $old_"; fi
    done)
    put "$T/parts" "$list_"
}
chosen() { # chosen PART [PART...]: whether the first is among the others; true without others
    part_=$1
    shift
    [ "$#" -gt 0 ] || return 0
    for one in "$@"; do if [ "$one" = "$part_" ]; then return 0; fi; done
    return 1
}

# roll_back [PART...]: undo these parts where they are in force; without names, all parts.
roll_back() {
    wanted_=$(words_of "$@") || stop 64 "${wanted_#failed }"
    set -f
    # shellcheck disable=SC2046,SC2086 # words of ours
    set -- $(in_force | while IFS= read -r part; do if chosen "$part" $wanted_; then say "$part"; fi; done)
    set +f
    # Where a trial was not proved, this is the reason.
    back_=$(text_of "${T%/transaction}/trial/state" | sed -n 's/^undoing //p')
    back_=${back_:-rolled back}
    if [ "$#" = 0 ] && [ -z "$wanted_" ] && [ -z "$(parts_of "$T")" ]; then
        undo "$back_" # the plan is damaged, which undo reports
        return
    fi
    if [ "$#" = 0 ]; then return; fi
    before_=$(text_of "$T/status")
    before_=${before_%"; a rollback was begun: "*}
    if [ "$*" = "$(parts_of "$T" | cut -d ' ' -f 1 | tr '\n' ' ' | sed 's/ $//')" ]; then
        undo "$back_"
        if [ -n "$trouble" ]; then note_parts broken; else note_parts undone; fi
        return
    fi
    undo "rolled back" "$@"
    if [ -n "$trouble" ]; then note_parts broken "$@" && return; fi
    # Where the state of a part cannot be noted, the next rollback undoes the part again.
    if ! text_=$(text_of "$T/written" | told sh "$self" forget "$T" "$@"); then
        trouble="$trouble; ${text_#failed }"
    elif ! note_parts undone "$@"; then
        trouble="$trouble; $why"
    elif [ -n "$(in_force)" ]; then
        # This undo has mended what was broken.
        if ! text_of "$T/parts" | grep -q ' broken$'; then
            case $before_ in broken*) before_="kept $(plan run)" ;; esac
        fi
        status "$before_; rolled back: $*$left" && return
        trouble="$trouble; $why"
    else
        undo_record
    fi
    conclude "rolled back"
}
words_of() { # words_of PART...: the parts in the plan's words; older records and people use others
    for part in "$@"; do
        case $part in
            nixos | system) say nixos ;;
            home-manager | home) say home-manager ;;
            plasma+session | live) say plasma+session ;;
            *) stop 64 "$part: not a part of a change" ;;
        esac
    done
}

# -- old records ----------------------------------------------------------------------------------

KEPT=10
number_in() { # number_in RUN_DIRECTORY: print the number that orders the changes; fails without one
    number=''
    if [ -f "$1/transaction/plan" ]; then
        while IFS=' ' read -r key rest; do
            if [ "$key" = number ]; then number=$rest && break; fi
        done <"$1/transaction/plan" 2>/dev/null
    elif [ -f "$1/number" ]; then
        IFS= read -r number <"$1/number" 2>/dev/null
    fi
    case $number in '' | *[!0-9]* | ????????????????*) return 1 ;; esac
    say "$number"
}
# prune RUNS: the records of the newest ten changes stay, by their numbers: no clock decides. One
# whose number cannot be read stays as well, and so does this run's own, and what has a user's bytes
# from before, or a layer's files: of a run that was cut off before it became a change. The rest has
# nothing to go back to.
prune() {
    newest=0
    for old in "$1"/[0-9]*t[0-9]*-*; do
        if number_in "$old" >/dev/null && [ "$number" -gt "$newest" ]; then newest=$number; fi
    done
    for old in "$1"/[0-9]*t[0-9]*-*; do
        if [ ! -d "$old" ] || [ -L "$old" ]; then continue; fi
        if [ "${old##*/}" = "${2:-}" ]; then continue; fi
        if number_in "$old" >/dev/null; then
            [ "$number" -le "$((newest - KEPT))" ] || continue
        elif [ -e "$old/transaction" ] || [ -e "$old/number" ] || has_bytes "$old" ||
            root_has "$1" "${old##*/}"; then
            continue
        fi
        of_another "$old" || drop "$old"
    done
    for old in "$1"/.gone-*; do if [ -e "$old" ]; then rm -rf -- "$old"; fi; done
}
has_bytes() { # has_bytes RUN_DIRECTORY: whether it has old bytes of replaced files
    for bytes in "$1"/layer/before/* "$1"/live-*/before/*; do
        if [ -e "$bytes" ]; then return 0; fi
    done
    # Nothing else knows the files of a layer that was never activated as ours.
    grep -qE '^file .*/workspace-tuning/(home-manager|nixos)/' "$1/layer/manifest" 2>/dev/null
}
of_another() { # of_another RUN_DIRECTORY: whether it is another user's; older versions mixed them
    [ -f "$T/plan" ] && [ -f "$1/transaction/plan" ] &&
        ! grep -qxF "user $(plan user)" "$1/transaction/plan"
}
root_has() { # root_has RUNS RUN: whether root has the rest of this record, from an older version
    case $T in "$1"/*) return 1 ;; */transaction) ;; *) return 1 ;; esac
    base=${T%/*/transaction}
    [ -e "$base/$2" ] || [ -e "${base%/*}/$2" ]
}
prune_all() { # remove old records: root's of this user, and the user's by a process of the user
    if written=$(plan written); then told sh "$self" prune "$T" "${written%/*}/runs"; fi
    case $T in "${written%/*}/runs"/*) ;; *) prune "${T%/*/transaction}" "$(plan run)" ;; esac
}
