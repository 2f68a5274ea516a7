# Build layers, one after the other, and print what each changes (difference.sh), without activating
# them or making a generation.
#
# usage: build.sh STATE [LAYER FLAKE ATTRIBUTE BASE INPUTS JOBS CORES IMPURE NAME TIMES DIGEST OLD]...
#   FLAKE   directory of the layer flake; BASE  URL that replaces its input "base"
#   INPUTS  digest of all inputs of the build, kept with the result
#   JOBS    builds at once, 0 where it was built elsewhere; CORES for each; "-": Nix's own value
#   IMPURE  --impure, or empty
#   NAME, TIMES, DIGEST  of the user's flake (remote/flakes.sh), TIMES is empty for git
#   OLD     path of the present generation, or "-"
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

    # nixos-rebuild and home-manager are not used, so that exactly this result is activated later. The
    # path comes from Nix's output, because somebody could replace the link in the home.
    made=$(flakes build --json "path:$flake#$attribute" \
        --override-input base "$base" --no-write-lock-file --out-link "$state/roots/$layer" "$@") ||
        stop 70 "nix build of $attribute"
    path=$(say "$made" | tr -d ' \n' | sed -n 's/.*"out":"\([^"]*\)".*/\1/p')
    [ -n "$path" ] || stop 70 "the build left no result"
    put "$state/built/$layer" "$inputs $path" || stop 70 "$why"
    # With this stamp, the next reading compares sizes and times in place of the whole flake.
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
