# Move aside files of the user's own where home-manager puts its files, and give them back at an undo.
# A part of the programs with undo.sh, whose functions and variables these use.
#
# transact.sh activates a home by itself. A home within a system (home-manager as a module of NixOS) is
# activated by a unit of the system, when the system is switched.
# shellcheck shell=sh disable=SC2034,SC2154

# of_home GENERATION <PROGRAM: run PROGRAM as the user, with GENERATION and the names of its files and
# links below home-files as arguments, and with the "extension" of files that were moved aside.
of_home() {
    each_=$(cat)
    # shellcheck disable=SC2016 # expanded by the inner shell
    told sh -c '
        cd -- "$1/home-files" && extension=$3 \
            find . \( -type f -o -type l \) -exec sh -c "$2" each "$1" {} +' \
        home "$(readlink -f -- "$1")" "$each_" "before-$(plan run)"
}

# Without an older generation to go back to: remove the links that this generation made.
deactivate_home() {
    of_home "$1" <<'EACH'
files=$1
shift
for name in "$@"; do
    link=$HOME/${name#./}
    case $(readlink -- "$link") in "$files"/home-files/* | /nix/store/*-home-manager-files/*)
        rm -f -- "$link" || failed=1 ;;
    esac
done
exit "${failed:-0}"
EACH
}
# Move the user's own files back that home-manager moved aside for the undone generation. Where the user
# made a new file in the place of one, the old file stays aside and is named.
give_files_back() {
    kept_aside=$(
        of_home "$1" <<'EACH'
shift
for name in "$@"; do
    place=$HOME/${name#./} aside=$HOME/${name#./}.$extension
    if [ ! -e "$aside" ] && [ ! -L "$aside" ]; then continue; fi
    case $(readlink -- "$place") in
        */home-files/* | *-home-manager-files/*) ;;
        *) if [ -e "$place" ] || [ -L "$place" ]; then
            printf "%s " "$aside"
            continue
        fi ;;
    esac
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
# Move the user's files aside before the unit of the home runs. home-manager alone does so itself, but
# its unit in a system would refuse, or use an extension that the user chose.
move_aside() {
    home_new=$(home_within "$new") || return 0
    of_home "$home_new" <<'EACH'
generation=$1
shift
for name in "$@"; do
    name=${name#./} place=$HOME/${name#./}
    if [ -L "$place" ]; then
        case $(readlink -- "$place") in */home-files/* | *-home-manager-files/*) continue ;; esac
    elif [ ! -e "$place" ]; then
        continue
    fi
    if cmp -s -- "$generation/home-files/$name" "$place"; then continue; fi
    mv -T -- "$place" "$place.$extension" || failed=1
done
exit "${failed:-0}"
EACH
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
give_home_back() {
    fields nixos && home_new=$(home_within "$new") || return 0
    give_files_back "$home_new"
}
