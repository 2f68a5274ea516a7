# Move aside files of the user's own where home-manager puts its files, and give them back at an undo.
# A part of the programs with undo.sh, whose functions and variables these use.
#
# transact.sh activates a home by itself. A home within a system (home-manager as a module of NixOS) is
# activated by a unit of the system, when the system is switched. home-manager moves nothing but files and
# directories aside: it refuses a link of the user's, or replaces the link where that leads nowhere or to
# the same bytes. So all are moved aside here, before it is activated.
# shellcheck shell=sh disable=SC2034,SC2154

# of_home GENERATION [WHOSE] <PROGRAM: run PROGRAM as the user, with GENERATION and the names of its files
# and links below home-files as arguments, with the "extension" of files that were moved aside, with
# "whose" and with the function of_home_manager (common.sh).
of_home() {
    each_=$OF_HOME_MANAGER$newline$(cat)
    # shellcheck disable=SC2016 # expanded by the inner shell
    told sh -c '
        cd -- "$1/home-files" && extension=$3 whose=$4 store=${1%/*} \
            find . \( -type f -o -type l \) -exec sh -c "$2" each "$1" {} +' \
        home "$(readlink -f -- "$1")" "$each_" "before-$(plan run)" "${2:-}"
}
# move_aside GENERATION: move the user's files, directories and links aside before it is activated.
move_aside() {
    of_home "$1" <<'EACH'
generation=$1
shift
for name in "$@"; do
    name=${name#./} place=$HOME/${name#./}
    if [ ! -e "$place" ] && [ ! -L "$place" ]; then continue; fi
    if of_home_manager "$place"; then continue; fi
    if [ ! -L "$place" ] && cmp -s -- "$generation/home-files/$name" "$place"; then continue; fi
    mv -T -- "$place" "$place.$extension" || failed=1
done
exit "${failed:-0}"
EACH
}

# Without an older generation to go back to: remove the links that this generation made.
deactivate_home() {
    of_home "$1" <<'EACH'
files=$1
shift
for name in "$@"; do
    link=$HOME/${name#./}
    case $(readlink -- "$link") in "$files"/home-files/* | "$store"/*-home-manager-files/*)
        rm -f -- "$link" || failed=1 ;;
    esac
done
exit "${failed:-0}"
EACH
}
# give_files_back GENERATION [theirs]: move back what was moved aside for the undone generation. Where
# something else is in its place, the old file stays aside and is named: a new file of the user's, or with
# "theirs" also a link of home-manager's, of the generation of somebody else that is in force.
give_files_back() {
    kept_aside=$(
        of_home "$@" <<'EACH'
shift
for name in "$@"; do
    place=$HOME/${name#./} aside=$HOME/${name#./}.$extension
    if [ ! -e "$aside" ] && [ ! -L "$aside" ]; then continue; fi
    if [ -e "$place" ] || [ -L "$place" ]; then
        if [ "$whose" = theirs ] || ! of_home_manager "$place"; then
            printf "%s " "$aside"
            continue
        fi
    fi
    # A directory must not be put in the place of a link.
    if [ -d "$aside" ] && [ ! -L "$aside" ]; then rm -f -- "$place"; fi
    mv -fT -- "$aside" "$place" || failed=1
done
exit "${failed:-0}"
EACH
    ) || trouble="$trouble; by hand: put back the files that end in .before-$(plan run)"
    if [ -n "$kept_aside" ]; then left="$left; another file is in the place of, left alone: $kept_aside"; fi
}

# -- a home within a system ---------------------------------------------------------------------------

# home_within GENERATION: print the home-manager generation within a generation of the system; fails
# where there is none.
home_within() {
    [ -e "$1/$HOME_WITHIN/activate" ] && readlink -f -- "$1/$HOME_WITHIN"
}
home_not_activated() { # print ", and ..." where the unit of the home is among the failed units
    home_new=$(home_within "$new") || return 0
    # shellcheck disable=SC2016 # expanded by the inner shell
    now=$(told sh -c 'readlink -f -- "${XDG_STATE_HOME:-$HOME/.local/state}/home-manager/gcroots/current-home"')
    if [ "$now" != "$home_new" ]; then
        say ", and the home was not activated: journalctl -u '$(home_unit "$(plan user)")'"
    fi
}
# The unit of the old system brings the old home back. The files that were moved aside come back here,
# also where a reboot brought the old system.
give_home_back() { # give_home_back [theirs]
    fields nixos && home_new=$(home_within "$new") || return 0
    give_files_back "$home_new" "$@"
}
