#!/bin/sh
# Activation of a miniature system. Enters: switch, boot, test or dry-activate. Leaves: links below
# the root, a line in the log, exit 0, or 4 as NixOS gives it when units failed. Where it is the
# system of a whole machine, that machine's own programs write the boot menu and activate.
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

[ -z "$log" ] || printf '%s %s\n' "$action" "$toplevel" >> "$log"
if [ "$action" = dry-activate ]; then
    echo "would activate the configuration $toplevel"
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
exit "${MINIATURE_EXIT:-0}"
