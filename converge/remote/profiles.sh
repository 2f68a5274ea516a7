# Read and set the Nix profiles of a change, and keep old generations for the way back. A part of
# transact.sh. The system's profile is root's, the home's is the user's. "profile" and "old_path" are
# set by "fields" (record.sh).
# shellcheck shell=sh disable=SC2034

# target_of PROFILE, number_of PROFILE: root reads the system's profile itself, and the home's as the
# user.
follow() { # follow PROFILE COMMAND...: print the first line of the command
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
# set_profile LAYER ARGUMENTS...: run nix-env as the profile's owner, with a time limit, because Nix waits
# for the profile's lock without end.
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
    (umask 022 && as_user env -u HOME_MANAGER_BACKUP_COMMAND HOME_MANAGER_BACKUP_EXT="$extension" "$@")
}

# Keep old generations from the garbage collector as long as the record exists.
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
