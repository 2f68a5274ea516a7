# Files of the user's own where home-manager puts one: moved aside for a generation, and given back.
# Read by undo.sh behind restore.sh, whose functions and variables these use.
#
# A home by itself is activated by transact.sh; a home within a system (home-manager as a module of
# NixOS) by a unit of the system's, when the system is switched to.
# shellcheck shell=sh disable=SC2034,SC2154

# of_home GENERATION <PROGRAM: as the user, for its files and links below home-files, whatever their
# names: PROGRAM has GENERATION and the names as arguments, and "extension" of what was moved aside.
of_home() {
    each_=$(cat)
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_user sh -c '
        cd -- "$1/home-files" && extension=$3 \
            find . \( -type f -o -type l \) -exec sh -c "$2" each "$1" {} +' \
        home "$(readlink -f -- "$1")" "$each_" "before-$(plan run)"
}

# Without an older generation: take away the links that this one made.
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
# What home-manager moved aside for the generation that is gone comes back, as it was: the user's own
# files. One in whose place the user made another meanwhile stays aside, and is named.
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
    # A directory takes the place of no link.
    if [ -d "$aside" ] && [ ! -L "$aside" ]; then rm -f -- "$place"; fi
    mv -fT -- "$aside" "$place" || failed=1
done
exit "${failed:-0}"
EACH
    ) || trouble="$trouble; by hand: put back the files that end in .before-$(plan run)"
    if [ -n "$kept_aside" ]; then left="$left; another file is in the place of, left alone: $kept_aside"; fi
}

# -- a home within a system ---------------------------------------------------------------------------

# home_within GENERATION: the home that a generation of the system has, by home-manager as a module of
# NixOS; failure where it has none.
home_within() {
    [ -e "$1/$HOME_WITHIN/activate" ] && readlink -f -- "$1/$HOME_WITHIN"
}
# What stands where home-manager will put a file of its own is moved aside first, as home-manager does by
# itself where a home is activated alone: here its unit would refuse, or take a name that the user chose.
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
home_not_activated() { # ", and ...": where the unit of the home is among those that failed
    home_new=$(home_within "$new") || return 0
    # shellcheck disable=SC2016 # expanded by the inner shell
    now=$(told sh -c 'readlink -f -- "${XDG_STATE_HOME:-$HOME/.local/state}/home-manager/gcroots/current-home"')
    if [ "$now" != "$home_new" ]; then
        say ", and the home was not activated: journalctl -u home-manager-$(plan user)"
    fi
}
# The home within a system goes back with it, by the unit of the old one. What was moved aside for it
# comes back here, also where a reboot brought the old system.
give_home_back() {
    fields nixos && home_new=$(home_within "$new") || return 0
    give_files_back "$home_new"
}
