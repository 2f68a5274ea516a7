#!/bin/sh
# Activation of a miniature home generation. Enters: HOME, optionally --driver-version N, DRY_RUN,
# HOME_MANAGER_BACKUP_EXT, MINIATURE_LOG, MINIATURE_HOME_EXIT. Leaves: links in HOME, the profile set
# (driver version 0), a line in the log.
#
# 1. As home-manager does, refuse before anything is written what is not ours, unless it can be moved aside.
#    Links are never moved aside. What has the same bytes, or leads nowhere, is not refused.
# 2. Link the files of this generation, also over links; remove those that only the previous one had.
# 3. Run the entries of home.activation; let the systemd that reads this HOME switch its units, by the
#    sd-switch in PATH.
# 4. Record this generation: ~/.local/state/home-manager/gcroots/current-home and the profile.
set -eu
generation=@generation@
log=${MINIATURE_LOG-@log@}
driver=0
[ "${1:-}" != --driver-version ] || driver=$2
state=$HOME/.local/state
current=$state/home-manager/gcroots/current-home

list() { (cd "$1/home-files" && find . ! -type d | sed 's#^\./##'); }
ours() { case $(readlink "$1" 2>/dev/null) in */home-files/*) return 0 ;; *) return 1 ;; esac; }

list "$generation" | while read -r file; do
    target=$HOME/$file
    if [ ! -e "$target" ] || ours "$target" || cmp -s "$generation/home-files/$file" "$target"; then continue; fi
    if [ -L "$target" ] || [ -z "${HOME_MANAGER_BACKUP_EXT:-}" ]; then
        echo "Existing file '$target' would be clobbered" >&2
        exit 1
    fi
done

[ -z "$log" ] || printf 'activate %s\n' "$generation" >> "$log"
if [ -n "${DRY_RUN:-}" ]; then
    echo "would activate $generation"
    exit 0
fi

old=''
if [ -L "$current" ] && [ -d "$current/home-files" ]; then
    old=$(readlink -f "$current")/home-files/.config/systemd/user
    list "$(readlink -f "$current")" | while read -r file; do
        [ -e "$generation/home-files/$file" ] || ! ours "$HOME/$file" || rm -f "$HOME/$file"
    done
fi
# put DIRECTORY FILE...: links to these files of the generation, by one program for a directory.
put() {
    directory=$1
    shift
    [ "$#" = 0 ] || ln -sf -t "$directory" -- "$@"
}
list "$generation" | {
set -- "$HOME"
while read -r file; do
    target=$HOME/$file
    if [ "${target%/*}" != "$1" ]; then
        put "$@"
        set -- "${target%/*}"
        [ -d "$1" ] || mkdir -p "$1"
    fi
    if [ -e "$target" ] && [ ! -L "$target" ]; then
        [ -n "${HOME_MANAGER_BACKUP_EXT:-}" ] || continue # it has the same bytes
        mv "$target" "$target.$HOME_MANAGER_BACKUP_EXT"
    fi
    set -- "$@" "$generation/home-files/$file"
done
put "$@"
}

case " $(systemctl --user show --property=UnitPath --value 2>/dev/null) " in
*" $HOME/.config/systemd/user "*)
    # shellcheck source=/dev/null
    . @entries@
    if command -v sd-switch >/dev/null; then
        units=$generation/home-files/.config/systemd/user
        [ -d "$units" ] || units=$generation/no-units
        set --
        [ ! -d "$old" ] || set -- --old-units "$old"
        sd-switch "$@" --new-units "$units"
    fi
    ;;
esac

mkdir -p "$(dirname "$current")" "$state/nix/profiles"
ln -sfn "$generation" "$current"
if [ "$driver" = 0 ]; then
    nix-env --profile "$state/nix/profiles/home-manager" --set "$generation"
fi
exit "${MINIATURE_HOME_EXIT:-0}"
