#!/bin/sh
# A Plasma-like session in a root made by make-root.sh: bus, X server, KWin. Its namespaces end with
# it, and with them everything that it started.
#
# usage: session.sh ROOT [NAME=VALUE]...      (as root; the variables are KWin's)
# Prints "ready PID" once KWin answers; PID is where others join (nsenter). Ends when its standard
# input does.
set -eu
if [ "${INSIDE:-}" = "" ]; then
    INSIDE=mounts exec unshare --mount --pid --fork --kill-child "$0" "$@"
fi
root=$1
shift
if [ "$INSIDE" = mounts ]; then
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mount -t tmpfs tmpfs "$root/run"
    mkdir -p "$root/run/user/1000" "$root/run/dbus"
    chown 1000:1000 "$root/run/user/1000"
    chmod 700 "$root/run/user/1000"
    cp "$0" "$root/run/session.sh"
    INSIDE=session exec chroot --userspec=1000:1000 "$root" env -i INSIDE=session \
        HOME=/home/mitsio USER=mitsio PATH=/usr/bin:/bin LANG=C.UTF-8 LIBGL_ALWAYS_SOFTWARE=1 \
        XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus \
        QT_QPA_PLATFORM=xcb KWIN_EFFECTS_FORCE_ANIMATIONS=1 "$@" /bin/sh /run/session.sh "$root"
fi

dbus-daemon --session --address="$DBUS_SESSION_BUS_ADDRESS" --nofork --nopidfile >/tmp/dbus.log 2>&1 &
Xvfb -displayfd 3 -screen 0 1024x768x24 -nolisten tcp 3>/tmp/display >/tmp/xvfb.log 2>&1 &
until [ -s /tmp/display ] && [ -S /run/user/1000/bus ]; do sleep 0.1; done
DISPLAY=:$(cat /tmp/display)
export DISPLAY
kwin_x11 >/tmp/kwin.log 2>&1 &
tries=0
until busctl --user call org.kde.KWin /KWin org.kde.KWin supportInformation >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! kill -0 $! 2>/dev/null; then
        cat /tmp/kwin.log >&2
        exit 1
    fi
    sleep 0.1
done
echo "ready"
cat >/dev/null
