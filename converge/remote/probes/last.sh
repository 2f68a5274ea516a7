# Run one probe and print its output, its status and its errors as three words of a line; or several.
# shellcheck shell=sh
named() { # named PROBE: set "function" to the name of its function
    function=$1
    # Builtins only, since this runs for each question.
    while :; do
        case $function in *-*) function=${function%%-*}_${function#*-} ;; *) break ;; esac
    done
    function=probe_$function
}
framed() { # framed PROBE ARGUMENT...
    named "$1"
    shift
    frame "$function" "$@"
}
plainly() { # plainly PROBE ARGUMENT...: in a shell of its own, since a probe may end it
    named "$1"
    shift
    "$function" "$@"
}
# share OF NUMBER SECONDS MARK [ID LIMIT COUNT PROBE ARGUMENT...]...: answer each question whose place
# modulo OF is NUMBER and whose limit is at most SECONDS, as remote/check.sh has it: the output goes to
# descriptor 1 and the errors to 2, with a line behind each, and "done ID" to 3. What starts a program of
# the user's has pipes of its own, since that may leave a process which writes later: "answer ID FRAME".
share() {
    of=$1 mine=$2 seconds=$3 mark=$4 turn=0
    shift 4
    while [ "$#" -ge 4 ]; do
        id=$1 limit=$2 count=$3
        shift 3
        turn=$(((turn + 1) % of))
        if [ "$turn" = "$mine" ] && [ "$limit" -le "$seconds" ]; then
            case $1 in
                program | alias) say answer "$id" "$(with_first "$count" framed "$@")" >&3 ;;
                *)
                    (with_first "$count" plainly "$@") 3>&-
                    printf '\n%s %s %s\n' "$mark" "$id" "$?" &&
                        printf '\n%s %s\n' "$mark" "$id" >&2 && say "done" "$id" >&3 || exit
                    ;;
            esac
        fi
        shift "$count"
    done
}

case $1 in
    framed | share) "$@" ;;
    *) stop 64 "usage: PROBES ROOT CAP framed PROBE ARGUMENT..., or share ..." ;;
esac
