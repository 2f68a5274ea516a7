# Build one layer: nothing of the running system changes, nothing becomes a generation.
#
# usage: build.sh LAYER FLAKE ATTRIBUTE BASE INPUTS STATE JOBS CORES
#   FLAKE   directory of the layer flake; BASE  the url that takes the place of its input
#   INPUTS  digest of all that goes into the build, kept with the result
#   JOBS    builds at once, 0 where it was built elsewhere; CORES for each; "-": as Nix is set up
# Prints "path STORE_PATH". Exit: 0 built, 70 failed.
leave_git_alone
layer=$1 flake=$2 attribute=$3 base=$4 inputs=$5 state=$6 jobs=$7 cores=$8
mkdir -p -- "$state/roots" "$state/built" || stop 70 "$state: cannot be made"
set --
if [ "$jobs" != - ]; then set -- "$@" --max-jobs "$jobs"; fi
if [ "$cores" != - ]; then set -- "$@" --cores "$cores"; fi

# Neither nixos-rebuild nor home-manager is needed: the result is named, so exactly it is used.
flakes build "path:$flake#$attribute" \
    --override-input base "$base" --no-write-lock-file --out-link "$state/roots/$layer" "$@" ||
    stop 70 "nix build of $attribute"
path=$(readlink -f -- "$state/roots/$layer") || stop 70 "the build left no result"
printf '%s %s\n' "$inputs" "$path" >"$state/built/.$layer" || stop 70 "$state/built: cannot be written"
mv -f -- "$state/built/.$layer" "$state/built/$layer" || stop 70 "$state/built: cannot be written"
printf 'path %s\n' "$path"
