# Undo the last run of workspace-tuning on this workspace, without a controller: this script needs only
# sh, and nix-env where a Nix layer was switched.
set -e
here=$(cd -- "$(dirname -- "$0")" && pwd)
system=${ROOT:-}/var/lib/workspace-tuning/runs
me=$(id -un)
usage() {
    cat <<'TEXT'
usage: rollback [RUN] [PART...]   undo the newest run that has these parts in force, or the named run
       rollback --list            the runs that are known here, the newest last
PART is nixos, home-manager or plasma+session; without one: all of the run that is still in force.
Exit: 0 undone or nothing left to undo, 1 something was left alone or no such run is known, 4 not all
could be undone, 7 another run is at work, 64 no such option or part, 77 this is not the user whose
records these are.
TEXT
}
# list: print "NUMBER RUN PLACE STATUS" of every run of this user's, ordered by number.
list() {
    for place in "$here"/runs/*/transaction "$system/$me"/*/transaction "$system"/*/transaction; do
        status=$(standing_of "$place") || continue
        number=0 user=$me
        regular "$place/plan"
        while IFS=' ' read -r word value; do
            case $word in number) number=$value ;; user) user=$value ;; esac
        done 2>/dev/null <"$file_" || : # the undo reports a damaged plan
        # Root keeps records of all users. Those here are this user's, also under an earlier name.
        case $place in "$system"/*) [ "$user" = "$me" ] || continue ;; esac
        case $number in '' | *[!0-9]*) number=0 ;; esac
        run=${place%/transaction}
        say "$number ${run##*/} $place $status"
    done | sort -n
}
# has PLACE PART...: whether one of these parts is in force there; without names, any part.
has() {
    place=$1
    shift
    if [ "$#" = 0 ] && [ -z "$(parts_of "$place")" ]; then
        case $(standing_of "$place") in undone*) return 1 ;; *) return ;; esac
    fi
    parts_of "$place" | while IFS=' ' read -r part state; do
        [ "$state" != undone ] || continue
        if [ "$#" = 0 ]; then say "$part"; fi
        for one in "$@"; do if [ "$one" = "$part" ]; then say "$part"; fi; done
    done | grep -q .
}
if [ ! -O "$here" ]; then
    say "$here belongs to $(stat -c %U -- "$here"): run this as that user and without sudo (it asks" \
        "for root itself where it needs root); nothing was undone"
    exit 77
fi
named=''
case ${1:-} in
    --list)
        list | while IFS=' ' read -r _ run _ rest; do say "$run  $rest"; done
        exit 0
        ;;
    -h | --help) usage && exit 0 ;;
    -*) usage && exit 64 ;;
    [0-9]*) named=$1 && shift ;;
esac
for part in "$@"; do
    case $part in nixos | home-manager | plasma+session) ;; *) usage && exit 64 ;; esac
done
read_lock "$here/lock" 2>/dev/null || anchor=''
if lives "$anchor" "${start:-}" "${boot:-}"; then
    say "a run holds this workspace at the moment ($here/lock); nothing was undone"
    exit 7
fi
# Records that lost a file are mended first, so that their numbers count for the choice.
for place in "$here"/runs/*/transaction "$system/$me"/*/transaction; do
    case $(standing_of "$place") in undone* | '') continue ;; esac
    if [ -O "$place" ]; then mend "$place" programs || :; fi
done
chosen=$(
    list | sort -rn | while IFS=' ' read -r _ run place _; do
        if [ -n "$named" ] && [ "$run" != "$named" ]; then continue; fi
        if has "$place" "$@"; then say "$place" && break; fi
    done
)
if [ -z "$chosen" ] && [ -n "$named" ] && ! list | grep -q "^[0-9]* $named "; then
    say "no run $named is known here; rollback --list has those that are"
    exit 1
elif [ -z "$chosen" ]; then
    say "nothing left to roll back: $here/runs"
    exit 0
fi
as=''
if [ ! -O "$chosen" ]; then as=by_root; fi
if ! usable "$chosen"; then
    if [ -n "$as" ]; then # root may be able to do it
        why="$why; before that: sudo tar -xpf $(quoted "$chosen/programs.spare") -C $(quoted "$chosen")"
    fi
    say "status broken $why"
    exit 4
fi
if ! grep -q plasma+session "$chosen/transact.sh"; then # an older version has other words for parts
    # shellcheck disable=SC2046 # words of ours
    set -- $(printf '%s\n' "$@" |
        sed 's/^nixos$/system/; s/^home-manager$/home/; s/^plasma+session$/live/')
fi
said=$(${as:+"$as" --} sh "$chosen/transact.sh" undo "$chosen" "$@") || :
say "$said"
case $said in "status broken"* | '') exit 4 ;; esac
# The status of a part that is undone alone begins with what was said of the parts before.
case ${said##*"; rolled back: "} in *"left alone"*) exit 1 ;; esac
