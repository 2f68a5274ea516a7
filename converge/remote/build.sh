# Build one layer: nothing of the running system changes, nothing becomes a generation.
#
# usage: build.sh LAYER FLAKE ATTRIBUTE BASE INPUTS STATE JOBS CORES IMPURE NAME TIMES DIGEST
#   FLAKE   directory of the layer flake; BASE  the url that takes the place of its input
#   INPUTS  digest of all that goes into the build, kept with the result
#   JOBS    builds at once, 0 where it was built elsewhere; CORES for each; "-": as Nix is set up
#   IMPURE  --impure, or empty
#   NAME, TIMES, DIGEST  of the user's flake (remote/flakes.sh), TIMES is empty for git
# Prints "path STORE_PATH". Exit: 0 built, 70 failed.
leave_git_alone
layer=$1 flake=$2 attribute=$3 base=$4 inputs=$5 state=$6 jobs=$7 cores=$8
shift 8
impure=$1 name=$2 times=$3 digest=$4
mkdir -p -- "$state/roots" "$state/built" || stop 70 "$state: cannot be made"
set -- ${impure:+--impure}
if [ "$jobs" != - ]; then set -- "$@" --max-jobs "$jobs"; fi
if [ "$cores" != - ]; then set -- "$@" --cores "$cores"; fi

# Neither nixos-rebuild nor home-manager is needed: the result is named, so exactly it is used.
# The path is what Nix itself says: a link in the home could be another one by the time it is followed.
made=$(flakes build --json "path:$flake#$attribute" \
    --override-input base "$base" --no-write-lock-file --out-link "$state/roots/$layer" "$@") ||
    stop 70 "nix build of $attribute"
path=$(say "$made" | tr -d ' \n' | sed -n 's/.*"out":"\([^"]*\)".*/\1/p')
[ -n "$path" ] || stop 70 "the build left no result"
put "$state/built/$layer" "$inputs $path" || stop 70 "$why"
# While sizes and times stay, nobody has to read the whole flake again. Without the stamp all do.
rm -f -- "$state/flakes/$name"
if [ -n "$times" ]; then
    mkdir -p -- "$state/flakes" && printf '%s %s\n' "$times" "$digest" >"$state/flakes/$name"
fi
say path "$path"
