# Print what a build of a layer would do, for a dry run. The layer comes on standard input and is
# removed afterwards; Nix keeps what it evaluated (derivations, its cache). No program that the user's
# repository names is run.
#
# usage: estimate.sh ATTRIBUTE BASE IMPURE [INPUT REFERENCE]... <payload
#   IMPURE  --impure, or empty; INPUT  an input of BASE, which REFERENCE replaces
# Prints Nix's own list of what would be built and fetched (standard error). For a home, by itself or in
# a system: "in_the_way PATH" for each of the user's own files at a target of home-manager, or "targets
# FRAME" (common.sh) where Nix cannot tell the targets. With INPUT: "metadata JSON" of BASE, "reference
# INPUT FRAME" for the reading of each REFERENCE, and "nixpkgs FRAME" for an evaluation of nixpkgs. Then
# "estimated".
leave_git_alone
attribute=$1 base=$2 impure=$3
layer='' guard=''
trap 'rm -rf -- "$layer" "$guard"' EXIT
trap 'exit 129' HUP INT TERM
run_nothing_of_git
layer=$(mktemp -d "${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}/workspace-tuning.XXXXXX") || exit 70
unpack "$layer" || exit 70
rmdir -- "$layer/new" 2>/dev/null
shift 3
given=$#
# Nix before 2.26 ignores an input that BASE does not have.
if [ "$given" -gt 0 ]; then
    say metadata "$(flakes flake metadata --json "$base" --no-write-lock-file ${impure:+--impure})"
fi
while [ "$given" -gt 0 ]; do
    # Each reference is read alone first, to tell an unreadable one from a plan that fails.
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
