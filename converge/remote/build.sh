# Build layers, one after the other, and say what each changes (difference.sh): nothing of the
# running system changes, nothing becomes a generation.
#
# usage: build.sh STATE [LAYER FLAKE ATTRIBUTE BASE INPUTS JOBS CORES IMPURE NAME TIMES DIGEST OLD]...
#   FLAKE   directory of the layer flake; BASE  the url that takes the place of its input
#   INPUTS  digest of all that goes into the build, kept with the result
#   JOBS    builds at once, 0 where it was built elsewhere; CORES for each; "-": as Nix is set up
#   IMPURE  --impure, or empty
#   NAME, TIMES, DIGEST  of the user's flake (remote/flakes.sh), TIMES is empty for git
#   OLD     the generation that is there now, or "-"
# Prints "path LAYER STORE_PATH" and the difference. Exit: 0 all built, 70 one failed.
leave_git_alone
state=$1
shift
mkdir -p -- "$state/roots" "$state/built" || stop 70 "$state: cannot be made"
build() { # build LAYER ... DIGEST: one layer; "path" is the result
    layer=$1 flake=$2 attribute=$3 base=$4 inputs=$5 jobs=$6 cores=$7
    shift 7
    impure=$1 name=$2 times=$3 digest=$4
    set -- ${impure:+--impure}
    if [ "$jobs" != - ]; then set -- "$@" --max-jobs "$jobs"; fi
    if [ "$cores" != - ]; then set -- "$@" --cores "$cores"; fi

    # Neither nixos-rebuild nor home-manager is needed: the result is named, so exactly it is used.
    # The path is what Nix itself says: a link in the home could be another one by then.
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
}
while [ "$#" -ge 12 ]; do
    build "$@"
    say path "$layer" "$path"
    shift 11
    difference "$layer" "$1" "$path"
    shift
done
