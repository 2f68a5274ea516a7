# Probes, framed: the output of each, its status and its errors as three words of a line.
# shellcheck shell=sh
framed() { # framed PROBE ARGUMENT...
    name=$1
    shift
    # Builtins alone: this is done for each question.
    while :; do
        case $name in *-*) name=${name%%-*}_${name#*-} ;; *) break ;; esac
    done
    frame "probe_$name" "$@"
}
# share OF NUMBER SECONDS [ID LIMIT COUNT PROBE ARGUMENT...]...: a line "answer ID FRAME ." for every
# question of which the turn comes to NUMBER and that has no longer limit. Without the dot at its end a
# line is torn.
share() {
    of=$1 mine=$2 seconds=$3 turn=0
    shift 3
    while [ "$#" -ge 4 ]; do
        id=$1 limit=$2 count=$3
        shift 3
        turn=$(((turn + 1) % of))
        if [ "$turn" = "$mine" ] && [ "$limit" -le "$seconds" ]; then
            frame=$(with_first "$count" framed "$@")
            say answer "$id" "$frame ."
        fi
        shift "$count"
    done
}

case $1 in
    framed | share) "$@" ;;
    *) stop 64 "usage: PROBES ROOT CAP framed PROBE ARGUMENT..., or share ..." ;;
esac
