# What a build of a layer would do, for a dry run: the layer comes on standard input and is gone
# again afterwards. Nix itself keeps what it evaluated (derivations, its cache), nothing else stays.
# No program that the user's repository names is run.
#
# usage: estimate.sh ATTRIBUTE BASE IMPURE [INPUT REFERENCE]... <payload
#   IMPURE  --impure, or empty; INPUT  of BASE, taken from REFERENCE
# Prints Nix's own list of what would be built and fetched (standard error); of a home, by itself or in
# a system, "in_the_way PATH" for each of the user's own files at a target of home-manager, or "targets
# FRAME" (common.sh) where Nix does not tell the targets; with INPUT, "metadata" of BASE as JSON and, one
# after the other, "reference INPUT FRAME" of reading each REFERENCE, and of nixpkgs "nixpkgs FRAME" of
# "true"; then "estimated".
leave_git_alone
attribute=$1 base=$2 impure=$3
layer='' guard=''
trap 'rm -rf -- "$layer" "$guard"' EXIT
trap 'exit 129' HUP INT TERM
run_nothing_of_git
layer=$(mktemp -d "${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}/workspace-tuning.XXXXXX") || exit 70
base64 -d | tar -xf - -C "$layer" || exit 70
rmdir -- "$layer/new" 2>/dev/null
shift 3
given=$#
# Nix before 2.26 says nothing of an input that is not there.
if [ "$given" -gt 0 ]; then
    say metadata "$(flakes flake metadata --json "$base" --no-write-lock-file ${impure:+--impure})"
fi
while [ "$given" -gt 0 ]; do
    # Each by itself first: what cannot be read says nothing of the plan.
    read_=$(frame flakes flake metadata "$2" --no-write-lock-file ${impure:+--impure})
    say reference "$1" "$read_"
    case $read_ in *' 0 ='*) ;; *) exit 70 ;; esac
    if [ "$1" = nixpkgs ]; then
        is_=$(frame flakes eval --json "$2#lib.nixosSystem" --apply builtins.isFunction \
            --no-write-lock-file ${impure:+--impure})
        say nixpkgs "$is_"
        case $is_ in *' 0 ='*) ;; *) exit 70 ;; esac
    fi
    set -- "$@" --override-input "base/$1" "$2"
    shift 2
    given=$((given - 2))
done
set -- --override-input base "$base" "$@" --no-write-lock-file ${impure:+--impure}
flakes build --dry-run "path:$layer#$attribute" --no-link "$@" || exit 70
where=''
case $attribute in homeConfigurations.*) where=targets ;; esac
if [ -e "$layer/home-manager" ]; then where=home.targets; fi
if [ -n "$where" ]; then
    targets=$(frame flakes eval --raw "path:$layer#$where" "$@")
    case $targets in
        *' 0 ='*) targets=${targets#=} && say "${targets%% *}" | base64 -d | in_the_way ;;
        *) say targets "$targets" ;;
    esac
fi
echo estimated
