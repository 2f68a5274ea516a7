# One probe, framed: its output, its status and its errors as one line of three words.
# shellcheck shell=sh disable=SC2154 # root, cap: common.sh
case $1 in
    framed) ;;
    *) stop 64 "usage: PROBES ROOT CAP framed PROBE ARGUMENT..." ;;
esac
name=$2
shift 2
# Builtins alone: this is done for each question.
while :; do
    case $name in *-*) name=${name%%-*}_${name#*-} ;; *) break ;; esac
done
exec 3>&1
printf '='
errors=$(
    {
        {
            ("probe_$name" "$@") 3>&-
            printf '\n%s' "$?" >&2
        } | head -c "$cap" | base64 -w 0 >&3
    } 2>&1 | tail -c 2000
)
newline='
'
status=${errors##*"$newline"} errors=${errors%"$newline"*}
if [ -n "$errors" ]; then errors=$(printf %s "$errors" | base64 -w 0); fi
printf ' %s =%s\n' "$status" "$errors"
