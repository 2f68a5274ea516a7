#!/bin/sh
# Activation of a miniature system. Enters: switch, boot, test or dry-activate. Leaves: links below
# the root, a line in the log, exit 0, or 4 as NixOS gives it when units failed. Where it is the
# system of a whole machine, that machine's own programs write the boot menu and activate.
#
# Of units it restarts those of home-manager that changed, as their user and without our variables:
# its module activates each home that way.
set -eu
toplevel=@toplevel@
root=${MINIATURE_ROOT-@root@}
log=${MINIATURE_LOG-@log@}
machine=@machine@
action=${1:-}

case $action in
switch | boot | test | dry-activate) ;;
*)
    echo "usage: $0 [switch|boot|test|dry-activate]" >&2
    exit 2
    ;;
esac

# A link is replaced by renaming a new one over it, so that nobody sees it missing.
place() {
    mkdir -p "$root/$(dirname "$2")"
    ln -sfn "$1" "$root/$2.new"
    mv -T "$root/$2.new" "$root/$2"
}

before=$(readlink "$root/run/current-system" 2>/dev/null) || before=/nonexistent

# changed: units of homes that are others than in the system that runs.
changed() {
    for unit in "$toplevel"/etc/systemd/system/home-manager-*.service; do
        [ -e "$unit" ] || continue
        cmp -s "$unit" "$before/etc/systemd/system/${unit##*/}" || echo "${unit##*/}"
    done
}
of_unit() { sed -n "s/^$1=//p" "$toplevel/etc/systemd/system/$unit"; }
start() {
    set -- env -u HOME_MANAGER_BACKUP_EXT
    for one in $(of_unit Environment); do set -- "$@" "$one"; done
    user=$(of_unit User)
    # In a sandbox whoever switches is the user, or root for a home that is below the sandbox; on a
    # machine it is root.
    [ -z "$root" ] || set -- env HOME="$root/home" "$@"
    [ "$(id -un)" = "$user" ] || set -- runuser -u "$user" -- "$@"
    # shellcheck disable=SC2046 # a command with its argument
    "$@" $(of_unit ExecStart) || {
        echo "warning: the following units failed: $unit" >&2
        return 1
    }
}

[ -z "$log" ] || printf '%s %s\n' "$action" "$toplevel" >> "$log"
if [ "$action" = dry-activate ]; then
    echo "would activate the configuration $toplevel"
    for unit in $(changed); do echo "would restart the following units: $unit"; done
    exit 0
fi
if [ -n "$root" ]; then
    case $action in
    switch | boot) place "$toplevel" boot/default ;;
    esac
    case $action in
    switch | test)
        place "$toplevel" run/current-system
        place "$toplevel/etc" etc/static
        ;;
    esac
fi
if [ -n "$machine" ]; then
    case $action in
    switch | boot) "$machine/install-bootloader" "$toplevel" ;;
    esac
    case $action in
    switch | test) "$machine/activate" "$toplevel" || exit 4 ;;
    esac
fi
failed=0
case $action in
switch | test) for unit in $(changed); do start || failed=4; done ;;
esac
exit "${MINIATURE_EXIT:-$failed}"
