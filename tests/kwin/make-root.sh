#!/bin/sh
# Make a Debian 13 root with the real KWin, Baloo and KConfig tools, for tests/proof.
#
# usage: make-root.sh DIRECTORY [plasma]          (as root; about a minute, 650 MB)
#   plasma  a whole machine with Plasma, for tests/measure/desktop.py (1.5 GB)
# Needs mmdebstrap (apt-get install mmdebstrap debian-archive-keyring). MIRROR names another mirror
# than the usual one.
# Nothing is done where the root is there already. Whole or not at all: it is made beside
# DIRECTORY and moved there when it is complete.
set -eu
directory=$1
packages=kwin-x11,xvfb,dbus-user-session,libgl1-mesa-dri,libkf6config-bin,baloo6,systemd,systemd-journal-remote
if [ "${2:-}" = plasma ]; then
    packages=$packages,plasma-workspace,plasma-desktop,systemd-sysv,libpam-systemd,openssh-server
    packages=$packages,libkf6filemetadata-bin,pipewire,kio-extras,systemsettings,python3
fi

if [ "$(cat "$directory/.made" 2>/dev/null)" = "$packages" ]; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
    echo "make-root.sh: must be root: a root directory has files of several users" >&2
    exit 1
fi
command -v mmdebstrap >/dev/null || {
    echo "make-root.sh: mmdebstrap is not installed: apt-get install mmdebstrap" >&2
    exit 1
}
mkdir -p "${directory%/*}"
rm -rf "$directory" "$directory.new"
mmdebstrap --quiet --variant=apt --dpkgopt=force-unsafe-io --include="$packages" trixie "$directory.new" ${MIRROR:+"$MIRROR"}
chroot "$directory.new" useradd --uid 1000 --create-home mitsio
printf '%s\n' "$packages" >"$directory.new/.made"
mv "$directory.new" "$directory"
