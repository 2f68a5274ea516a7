# Build the stock and the optimized form of a package, and print their paths.
#
# usage: pair.sh ROOTS BASE LAYER LAYER_SET STOCK_NAME OPTIMIZED_NAME FILE IMPURE SET...
#   ROOTS    directory for links that keep both from Nix's garbage collector
#   BASE     url of the user's own flake; LAYER  directory of the layer flake
#   *_NAME   attributes below pkgs with "|" between, best first
#   FILE     file that the package must have, such as bin/zstd; IMPURE  --impure, or empty
#   SET      attribute of a configuration in the user's flake, best first; LAYER_SET: in the layer
# Prints "stock PATH" and "optimized PATH", or "failed WHAT" (exit 70).
leave_git_alone
roots=$1 base=$2 layer=$3 layer_set=$4 stock=$5 optimized=$6 file=$7
impure=$8
shift 8
mkdir -p -- "$roots" || stop 70 "$roots: cannot be made"

# build WHICH FLAKE SET NAMES [OPTION]...: build the first name of which an output has the file.
build() {
    which=$1 flake=$2 set=$3 names=$4
    shift 4
    output=${file%%/*}
    case $output in bin) ;; *) output=out ;; esac
    while [ -n "$names" ]; do
        name=${names%%|*}
        case $names in *'|'*) names=${names#*|} ;; *) names='' ;; esac
        for attribute in "$set.pkgs.$name.$output" "$set.pkgs.$name"; do
            flakes build "$flake#$attribute" \
                --no-write-lock-file --out-link "$roots/$which-$name" ${impure:+--impure} "$@" >&2 ||
                continue
            for link in "$roots/$which-$name" "$roots/$which-$name"-*; do
                if [ -e "$link/$file" ]; then
                    say "$which" "$(readlink -f -- "$link")"
                    return 0
                fi
            done
        done
    done
    return 1
}
build optimized "path:$layer" "$layer_set" "$optimized" --override-input base "$base" ||
    stop 70 "the layer has no build of $optimized with $file"
for set in "$@"; do
    if build stock "$base" "$set" "$stock"; then exit 0; fi
done
stop 70 "the user's flake has no build of $stock with $file"
