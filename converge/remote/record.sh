# The record of a run on the workspace: whose it is, which of its parts are still in force, which are
# too old to be kept, and what was last written. A part of transact.sh; T is the transaction.
# shellcheck shell=sh disable=SC2034,SC2154
verb=$1 T=$2

status() { # status WORD REASON...: whole or not at all; else "why"
    standing=$* # also where it cannot be written
    put "$T/status" "$*"
}
word() {
    regular "$T/status"
    IFS=' ' read -r now _ 2>/dev/null <"$file_" || now=''
    say "$now"
}
plan() { # plan WORD...: the rest of the first line that begins with one of these words
    regular "$T/plan"
    while IFS=' ' read -r key rest; do
        for wanted in "$@"; do
            if [ "$key" = "$wanted" ]; then
                say "$rest"
                return 0
            fi
        done
    done 2>/dev/null <"$file_"
    return 1
}
# fields LAYER: new, profile, old_number, old_path of nixos or home-manager (older records say system
# and home), or failure where the layer has no part in this change.
fields() {
    case $1 in
        nixos | system) line=$(plan nixos system) || return 1 ;;
        *) line=$(plan home-manager home) || return 1 ;;
    esac
    set -f
    # shellcheck disable=SC2086 # four words: store paths and profiles without blanks
    set -- $line
    set +f
    new=$1 profile=$2 old_number=$3 old_path=$4
}

# -- root and the user ----------------------------------------------------------------------------

# rooted: whether this is root for somebody else. Root then opens nothing below a home: what belongs
# to the user is done by a process of the user's, which can neither hold root up for ever nor hand
# root anything but a file that root has made.
rooted() { [ "$(id -u)" = 0 ] && [ -f "$T/plan" ] && [ "$(plan user)" != "$(id -un)" ]; }
if [ "$for_another" = yes ] || rooted; then
    system_places_alone
    umask 027 # the group is the user's own, so that the user's processes can read this record
fi
ACTIVATION_S=1800 BRIEF_S=120

as_user() { for_user "$ACTIVATION_S" "$@"; } # as_user COMMAND...: as the user, also from root
briefly() { for_user "$BRIEF_S" "$@"; }      # the same for what takes no time
# Where the user's programs were found when the workspace was read, and where they have their files:
# a unit of the user's has other places, sudo drops the variables. Chezmoi would be missing, or look
# at another source; home-manager at another home. For the user's processes alone.
places() { if where=$(plan places); then printf ':%s' "$where"; fi; }
variable_of() { # variable_of LINE: NAME=PATH of a line of the plan, else failure
    case $1 in "variable HOME="* | "variable XDG_"*_HOME=*) variable=${1#variable } ;; *) return 1 ;; esac
}
if [ -f "$T/plan" ] && [ "$for_another" = no ] && ! rooted; then
    PATH=$PATH$(places)
    while IFS= read -r one; do
        if variable_of "$one"; then export "${variable?}"; fi
    done <"$T/plan"
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
# told COMMAND...: as_user, and what the command printed, through a file: a pipe would be held open
# by whatever process of the user's has it.
told() {
    if ! rooted; then
        "$@"
        return
    fi
    as_user "$@" >"$T/.told"
    code_=$?
    head -c 65536 -- "$T/.told"
    rm -f -- "$T/.told"
    return "$code_"
}
# valid PATH: whether it is a path of the store itself, and one that Nix knows to be whole. Root runs
# nothing else: a link of the user's could be another one by the time it is followed.
valid() {
    store=${NIX_STORE_DIR:-/nix/store}
    case ${1#"$store"/} in
        "$1" | '' | .* | *[!0-9A-Za-z+._?=-]*) return 1 ;;
    esac
    nix-store --check-validity "$1" 2>/dev/null
}
# invalid: the first path of the plan that root must not run, or failure where there is none.
invalid() {
    rooted || return 1
    for layer in nixos home-manager; do
        fields "$layer" || continue
        for one in "$new" "$old_path"; do
            if [ "$one" != - ] && ! valid "$one"; then
                say "$one"
                return 0
            fi
        done
    done
    return 1
}

# -- parts ----------------------------------------------------------------------------------------

in_force() { # the parts of this change that are not undone, one a line
    parts_of "$T" | while IFS=' ' read -r part state_; do
        if [ "$state_" != undone ]; then say "$part"; fi
    done
}
note_parts() { # note_parts STATE [PART...]: these parts have come to this, all where none is named
    state_=$1
    shift
    list_=$(parts_of "$T" | while IFS=' ' read -r part old_; do
        if chosen "$part" "$@"; then say "$part $state_"; else say "$part $old_"; fi
    done)
    put "$T/parts" "$list_"
}
chosen() { # chosen PART [PART...]: whether it is among the others, or there are no others
    part_=$1
    shift
    [ "$#" -gt 0 ] || return 0
    for one in "$@"; do if [ "$one" = "$part_" ]; then return 0; fi; done
    return 1
}

# roll_back [PART...]: undo what is still in force of these parts, of all where none is named.
roll_back() {
    wanted_=$(words_of "$@") || stop 64 "${wanted_#failed }"
    set -f
    # shellcheck disable=SC2046,SC2086 # words of ours
    set -- $(in_force | while IFS= read -r part; do if chosen "$part" $wanted_; then say "$part"; fi; done)
    set +f
    # A trial that did not prove itself is the reason, where there was one.
    back_=$(text_of "${T%/transaction}/trial/state" | sed -n 's/^undoing //p')
    back_=${back_:-rolled back}
    if [ "$#" = 0 ] && [ -z "$wanted_" ] && [ -z "$(parts_of "$T")" ]; then
        undo "$back_" # its plan is damaged: that is said
        return
    fi
    if [ "$#" = 0 ]; then return; fi
    before_=$(text_of "$T/status")
    if [ "$*" = "$(parts_of "$T" | cut -d ' ' -f 1 | tr '\n' ' ' | sed 's/ $//')" ]; then
        undo "$back_"
        if [ -n "$trouble" ]; then note_parts broken; else note_parts undone; fi
        return
    fi
    undo "rolled back" "$@"
    if [ -n "$trouble" ]; then note_parts broken "$@" && return; fi
    # A part that could not be noted as undone is undone once more by the next rollback.
    if ! text_=$(told sh "$self" forget "$T" "$@"); then
        trouble="$trouble; ${text_#failed }"
    elif ! note_parts undone "$@"; then
        trouble="$trouble; $why"
    elif [ -n "$(in_force)" ]; then
        # What was broken of it is whole now.
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
words_of() { # words_of PART...: the same in the words of the plan; older records and people say others
    for part in "$@"; do
        case $part in
            nixos | system) say nixos ;;
            home-manager | home) say home-manager ;;
            plasma+session | live) say plasma+session ;;
            *) stop 64 "$part: not a part of a change" ;;
        esac
    done
}

# -- what was last written ------------------------------------------------------------------------

# The record of what was last written is one file of the user's. The one before it is kept with the
# run, empty where there was none; beside it "undone/PART" is what holds for a part that was undone
# alone. All of it is done by a process of the user's (verbs remember, forget and recall).
user_record() { # user_record WRITTEN: the user's part of the record; all of it where T is the user's
    case $T in "${1%/*}/runs"/*) say "$T" ;; *) say "${1%/*}/runs/$(plan run)" ;; esac
}
remember() { # remember <NEW: keep what was written before, then let NEW take its place
    written=$(plan written) && kept=$(user_record "$written") || return 1
    mkdir -p -- "$kept" || stop 70 "$kept: cannot be made"
    plain "$written"
    if [ -e "$written" ]; then
        [ -r "$written" ] || stop 70 "$written: cannot be read"
        receive "$kept/written-before" <"$written" || stop 70 "$why"
    else
        receive "$kept/written-before" </dev/null || stop 70 "$why"
    fi
    seal "$kept" before written-before || stop 70 "$why"
    receive "$written" || stop 70 "$why"
    rm -rf -- "${written%/*}/undone"
}
plain() { # what is read has to be a file: a FIFO would never end, a link may lead anywhere
    if [ -L "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; then stop 70 "$1: is not a regular file"; fi
}
before_it() { # the file with what was written before this run, wherever this version kept it
    kept=$(user_record "$1")
    for one in "$kept/written-before" "$T/written-before"; do
        if [ -f "$one" ] && [ -r "$one" ] && [ ! -L "$one" ]; then
            say "$one"
            return 0
        fi
    done
    return 1
}
# later RUNS...: whether a run after this one is in force; then what it wrote is what was last written.
later() {
    mine=$(plan number) || return 1
    for runs in "$@"; do
        for status in "$runs"/*/transaction/status; do
            first_of "$status"
            case $status_ in kept* | broken*) ;; *) continue ;; esac
            if number=$(number_in "${status%/transaction/status}") && [ "$number" -gt "$mine" ]; then
                return 0
            fi
        done
    done
    return 1
}
later_than_this() {
    written=$(plan written) && later "${written%/*}/runs" "${T%/*/transaction}"
}
# from_before: the file with what was written before this run into "before", failure where this run
# has not replaced it. One that is damaged is neither.
from_before() {
    written=$(plan written) || return 1
    mend "$(user_record "$written")" before || [ "$?" = 2 ] || stop 70 "$why; $(without_it)"
    if before=$(before_it "$written"); then return 0; fi
    regular "$written"
    if grep -qF "\"run\": \"$(plan run)\"" "$file_" 2>/dev/null; then
        stop 70 "$(user_record "$written")/written-before is gone; $(without_it)"
    fi
    return 1
}
without_it() { # the next run then takes what this one wrote for somebody else's
    say "by hand: rm -r -- $(quoted "$written") $(quoted "${written%/*}/undone"), then repeat the undo"
}
recall() { # the record from before, where this run had replaced it and no later one has
    if later_than_this; then return 0; fi
    from_before || return 0
    plain "$written"
    if [ -s "$before" ]; then
        receive "$written" <"$before" || stop 70 "$why"
    else
        rm -f -- "$written" || stop 70 "$written: cannot be removed"
    fi
}
forget() { # forget PART...: what was written before holds again for these parts alone
    from_before || return 0
    mkdir -p -- "${written%/*}/undone" || stop 70 "${written%/*}/undone: cannot be made"
    for part in "$@"; do
        receive "${written%/*}/undone/$part" <"$before" || stop 70 "$why"
    done
}
undo_record() {
    if [ ! -f "$self" ]; then return 0; fi # undo_files says so
    text_=$(told sh "$self" recall "$T") || trouble="$trouble; ${text_#failed }"
}

# -- old records ----------------------------------------------------------------------------------

KEPT=10
number_in() { # number_in RUN_DIRECTORY: how many changes there had been before it; else failure
    number=''
    if [ -f "$1/transaction/plan" ]; then
        while IFS=' ' read -r key rest; do
            if [ "$key" = number ]; then number=$rest; fi
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
        if number=$(number_in "$old") && [ "$number" -gt "$newest" ]; then newest=$number; fi
    done
    for old in "$1"/[0-9]*t[0-9]*-*; do
        if [ ! -d "$old" ] || [ -L "$old" ]; then continue; fi
        if [ "${old##*/}" = "${2:-}" ] || of_another "$old"; then continue; fi
        if number=$(number_in "$old"); then
            [ "$number" -le "$((newest - KEPT))" ] || continue
        elif [ -e "$old/transaction" ] || [ -e "$old/number" ] || has_bytes "$old" ||
            root_has "$1" "${old##*/}"; then
            continue
        fi
        drop "$old"
    done
    rm -rf -- "$1"/.gone-*
}
has_bytes() { # has_bytes RUN_DIRECTORY: of files that it replaced; a proof replaces our own record
    for bytes in "$1"/layer/before/* "$1"/live-*/before/*; do
        if [ -e "$bytes" ]; then return 0; fi
    done
    # Nothing else knows the files of a layer that was never activated as ours.
    grep -qE '^file .*/workspace-tuning/(home-manager|nixos)/' "$1/layer/manifest" 2>/dev/null
}
of_another() { # of_another RUN_DIRECTORY: root kept the records of all users in one place once
    [ -f "$T/plan" ] && [ -f "$1/transaction/plan" ] &&
        ! grep -qxF "user $(plan user)" "$1/transaction/plan"
}
root_has() { # root_has RUNS RUN: root may have the rest of this record, from an older version
    case $T in "$1"/*) return 1 ;; */transaction) ;; *) return 1 ;; esac
    base=${T%/*/transaction}
    [ -e "$base/$2" ] || [ -e "${base%/*}/$2" ]
}
prune_all() { # of root's records those of this user; of the user's all, by the user's own process
    if written=$(plan written); then told sh "$self" prune "$T" "${written%/*}/runs"; fi
    case $T in "${written%/*}/runs"/*) ;; *) prune "${T%/*/transaction}" "$(plan run)" ;; esac
}
