# What a build of a layer would do, for a dry run: the layer comes on standard input and is gone
# again afterwards. Nix itself keeps what it evaluated (derivations, its cache), nothing else stays.
#
# usage: estimate.sh ATTRIBUTE BASE <payload
# Prints Nix's own list of what would be built and fetched, then "estimated".
set -u
LC_ALL=C
export LC_ALL
# Nix calls git, and looking at the user's repository must not refresh its index.
GIT_OPTIONAL_LOCKS=0 GIT_CONFIG_COUNT=1
GIT_CONFIG_KEY_0=diff.autoRefreshIndex GIT_CONFIG_VALUE_0=false
export GIT_OPTIONAL_LOCKS GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0
umask 077
attribute=$1 base=$2
PATH=$PATH:/run/wrappers/bin:/run/current-system/sw/bin:$HOME/.nix-profile/bin
PATH=$PATH:/nix/var/nix/profiles/default/bin
layer=$(mktemp -d "${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}/workspace-tuning.XXXXXX") || exit 70
trap 'rm -rf -- "$layer"' EXIT
trap 'exit 129' HUP INT TERM
base64 -d | tar -xf - -C "$layer" || exit 70
rmdir -- "$layer/new" 2>/dev/null
nix --extra-experimental-features 'nix-command flakes' build --dry-run "path:$layer#$attribute" \
    --override-input base "$base" --no-write-lock-file --no-link 2>&1 || exit 70
echo estimated
