# Run one probe and print its output, its status and its errors as three words of a line.
# shellcheck shell=sh
framed() { # framed PROBE ARGUMENT...
    name=$1
    shift
    # Builtins only, since this runs for each question.
    while :; do
        case $name in *-*) name=${name%%-*}_${name#*-} ;; *) break ;; esac
    done
    frame "probe_$name" "$@"
}
# share OF NUMBER SECONDS [ID LIMIT COUNT PROBE ARGUMENT...]...: print "answer ID FRAME ." for each
# question whose place modulo OF is NUMBER and whose limit is at most SECONDS. A line without the dot is
# torn.
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
