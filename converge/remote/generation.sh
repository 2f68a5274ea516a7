# Make a built store path the newest generation of a profile; the older ones are kept.
#
# usage: generation.sh PROFILE STORE_PATH
# Prints "generation NUMBER". Setting the path that is already current makes no new number.
set -u
LC_ALL=C
export LC_ALL
umask 022
profile=$1 path=$2
PATH=$PATH:/run/current-system/sw/bin:$HOME/.nix-profile/bin:/nix/var/nix/profiles/default/bin
stop() {
    printf 'failed %s\n' "$*"
    exit 70
}
mkdir -p -- "${profile%/*}" || stop "${profile%/*}: cannot be made"
if [ "$(readlink -f -- "$profile")" != "$path" ]; then
    nix-env --profile "$profile" --set "$path" || stop "$profile: no new generation"
fi
number=$(readlink -- "$profile")
number=${number%-link}
printf 'generation %s\n' "${number##*-}"
