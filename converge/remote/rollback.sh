# Undo what workspace-tuning did last on this workspace, without it: nothing but sh, and nix-env
# where a Nix layer was switched.
#
# usage: rollback [RUN]    the newest run, or the named one; "rollback --list" shows them
set -e
here=$(cd -- "$(dirname -- "$0")" && pwd)
system=${ROOT:-}/var/lib/workspace-tuning/runs
list() {
    for status in "$here"/runs/*/transaction/status "$system"/*/transaction/status; do
        [ -f "$status" ] || continue
        place=${status%/status}
        run=${place%/transaction}
        number=$(sed -n 's/^number \([0-9][0-9]*\)$/\1/p' "$place/plan" 2>/dev/null | head -n 1)
        printf '%s %s %s %s\n' "${number:-0}" "${run##*/}" "$place" "$(head -n 1 -- "$status")"
    done | sort -n | sed 's/^[0-9]* //'
}
if [ "${1:-}" = --list ]; then
    list | while IFS=' ' read -r run _ rest; do printf '%s  %s\n' "$run" "$rest"; done
    exit 0
fi
if [ -n "${1:-}" ]; then
    line=$(list | grep -e "^$1 " | tail -n 1) || line=
else
    line=$(list | grep -v -e '^[^ ]* [^ ]* undone' | tail -n 1) || line=
fi
if [ -z "$line" ]; then
    echo "nothing to roll back here: $here/runs"
    exit 1
fi
rest=${line#* }
place=${rest%% *}
as=''
if [ ! -O "$place" ]; then as=sudo; fi
${as:+"$as"} sh "$place/transact.sh" undo "$place"
