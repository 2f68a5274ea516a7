# The Nix profiles of a change: where they are, how one is moved, and what is held for the way back.
# Read by transact.sh behind record.sh; the system's profile is root's, the home's is the user's.
# "profile", "old_path" are those that record.sh's fields has read.
# shellcheck shell=sh disable=SC2034

# target_of PROFILE, number_of PROFILE: root looks at the system's; the home's is the user's own.
follow() { # follow PROFILE COMMAND...: without whatever the user's process adds to a line
    case " $(plan nixos system) " in
        *" $1 "*) shift && "$@" ;;
        *) shift && told "$@" | head -n 1 ;;
    esac 2>/dev/null
}
target_of() { follow "$1" readlink -f -- "$1"; }
number_of() { # number_of PROFILE: its current generation, or "-"
    link=$(follow "$1" readlink -- "$1")
    link=${link%-link}
    case ${link##*-} in '' | *[!0-9]*) say - ;; *) say "${link##*-}" ;; esac
}

PROFILE_S=300
# set_profile LAYER ARGUMENTS...: as whoever the profile belongs to. Nix waits without end for whoever
# holds the profile's lock, so the wait ends here.
# shellcheck disable=SC2154
set_profile() {
    layer_of=$1
    shift
    set -- timeout -k 10 "$PROFILE_S" nix-env --profile "$profile" "$@"
    case $layer_of in home | home-manager) set -- as_user "$@" ;; esac
    (umask 022 && "$@")
}

activate_home() { # activate_home GENERATION: the caller sets the profile where the release can
    extension=before-$(plan run)
    set -- "$1/activate"
    if grep -q -e driver-version "$1"; then set -- "$1" --driver-version 1; fi
    (umask 022 && as_user env HOME_MANAGER_BACKUP_EXT="$extension" "$@")
}

# What may be gone back to stays: the garbage collector does not take it while the record is there.
# shellcheck disable=SC2154
hold() {
    mkdir -p -- "$T/roots"
    for layer in nixos home-manager; do
        if fields "$layer" && [ "$old_path" != - ]; then
            nix-store --add-root "$T/roots/$layer" --indirect --realise "$old_path" >/dev/null ||
                say "not held: $old_path"
        fi
    done
}
