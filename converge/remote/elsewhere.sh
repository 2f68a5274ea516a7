# A layer that is built on another machine: each side's part. Nothing becomes a generation.
#
# usage: elsewhere.sh derive FLAKE ATTRIBUTE BASE       on the workspace: evaluate, build nothing
#        elsewhere.sh build NAME DERIVATION JOBS CORES  on the builder; "-": as Nix is set up there
#        elsewhere.sh send derivation|result PATH       on the side that has it
#        elsewhere.sh serve                             on the side that lacks it
# derive prints "derivation PATH", build "path PATH". send and serve hold a conversation on their
# standard input and output, which the controller hands from one to the other.
# Exit: 0 done, 70 failed.
#
# Strategy of send: it is "nix copy" to a store over SSH, so only what the other side lacks is sent,
# with the signatures and content addresses that it has. For the host "localhost" Nix runs the
# store's "remote-program" on this machine instead of ssh (nix help-stores, Experimental SSH Store);
# the one named here is no store but hands the conversation to whoever called us.
leave_git_alone
verb=$1
shift

case $verb in
    derive)
        path=$(flakes eval --raw "path:$1#$2.drvPath" \
            --override-input base "$3" --no-write-lock-file) || stop 70 "evaluation of $2"
        printf 'derivation %s\n' "$path"
        ;;
    build)
        name=$1 derivation=$2 jobs=$3 cores=$4
        roots=${XDG_STATE_HOME:-$HOME/.local/state}/workspace-tuning/elsewhere
        mkdir -p -- "$roots" || stop 70 "$roots: cannot be made"
        set --
        if [ "$jobs" != - ]; then set -- "$@" --max-jobs "$jobs"; fi
        if [ "$cores" != - ]; then set -- "$@" --cores "$cores"; fi
        nix-store --realise "$derivation" --add-root "$roots/$name" "$@" >&2 ||
            stop 70 "the build of $derivation"
        path=$(readlink -f -- "$roots/$name") || stop 70 "the build left no result"
        printf 'path %s\n' "$path"
        ;;
    send)
        case $1 in
            derivation) mode=--derivation ;;
            *) mode=--substitute-on-destination ;;
        esac
        place=$(mktemp -d "${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}/workspace-tuning.XXXXXX") || exit 70
        trap 'rm -rf -- "$place"' EXIT
        trap 'exit 129' HUP INT TERM
        cd -- "$place" && mkfifo in out || exit 70
        # shellcheck disable=SC2094 # two FIFOs
        printf '%s\n' 'cat <in & exec cat >out' >relay
        exec 3<&0
        cat out &
        saying=$!
        cat <&3 >in &
        hearing=$!
        flakes copy "$mode" --to 'ssh://localhost?remote-program=sh%20relay' "$2" </dev/null >&2
        code=$?
        if [ "$code" = 0 ]; then wait "$saying"; else kill "$saying"; fi 2>/dev/null
        kill "$hearing" 2>/dev/null
        exit "$code"
        ;;
    serve)
        exec nix-store --serve --write
        ;;
esac
