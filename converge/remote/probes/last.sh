# One probe, framed: its output, its status and its errors as one line of three words.
# shellcheck shell=sh disable=SC2154 # root, cap: common.sh
case $1 in
    framed) ;;
    *) stop 64 "usage: PROBES ROOT CAP framed PROBE ARGUMENT..." ;;
esac
name=$2
shift 2
exec 3>&1
printf '='
errors=$(
    {
        {
            ("probe_$(printf %s "$name" | tr - _)" "$@") 3>&-
            printf '\n%s' "$?" >&2
        } | head -c "$cap" | base64 -w 0 >&3
    } 2>&1 | tail -c 2000
)
newline='
'
printf ' %s =%s\n' "${errors##*"$newline"}" "$(printf %s "${errors%"$newline"*}" | base64 -w 0)"
