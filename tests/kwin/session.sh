#!/bin/sh
# A session in a root made by make-root.sh: a real user manager of systemd, its bus, an X server, and
# KWin as the unit that Plasma starts. Its namespaces end with it, and with them all that it started.
#
# usage: session.sh ROOT [NAME=VALUE]...      (as root; the variables are the session's)
# Prints "ready" once KWin answers. Ends when its standard input does.
#
# Three passes of this script: outside, which clears the control groups away afterwards; in namespaces
# of its own, which mounts; and in the root, as the user.
set -eu
groups=$(sed -n 's/^0:://p' /proc/self/cgroup)

case ${PASS:-outside} in
    outside)
        code=0
        PASS=inside CHECK=workspace-check-$$ \
            unshare --mount --pid --fork --kill-child "$0" "$@" || code=$?
        # An empty group stays until it is removed. PASS=clear does it in a mount of its own.
        PASS=clear CHECK=workspace-check-$$ unshare --mount "$0" "$@" || :
        exit "$code"
        ;;
    clear)
        mount --make-rprivate /
        mount -t cgroup2 none /mnt
        find "/mnt${groups%/}/$CHECK" -depth -type d -exec rmdir {} \;
        exit
        ;;
    inside)
        root=$1
        shift
        mount --make-rprivate /
        mount -t proc proc "$root/proc"
        mount -t sysfs sysfs "$root/sys"
        mount -t cgroup2 none "$root/sys/fs/cgroup"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
        mount -t tmpfs tmpfs "$root/run"
        mkdir -p "$root/run/user/1000" "$root/run/systemd/system"
        chown 1000:1000 "$root/run/user/1000"
        chmod 700 "$root/run/user/1000"
        # A group of our own for the manager, with the controllers that there are to delegate.
        above=$root/sys/fs/cgroup${groups%/}/$CHECK
        mkdir -p "$above/user"
        for controller in memory cpu pids; do
            echo "+$controller" >"$above/cgroup.subtree_control" 2>/dev/null || :
        done
        echo $$ >"$above/user/cgroup.procs"
        chown -R 1000:1000 "$above/user"
        cp "$0" "$root/run/session.sh"
        exec chroot --userspec=1000:1000 "$root" env -i PASS=session HOME=/home/mitsio \
            USER=mitsio SHELL=/bin/bash PATH=/usr/bin:/bin LANG=C.UTF-8 \
            XDG_RUNTIME_DIR=/run/user/1000 "$@" /bin/sh /run/session.sh "$@"
        ;;
esac

bus=unix:path=/run/user/1000/bus
/usr/lib/systemd/systemd --user >/tmp/manager.log 2>&1 &
Xvfb -displayfd 3 -screen 0 1024x768x24 -nolisten tcp 3>/tmp/display >/tmp/xvfb.log 2>&1 &
until [ -s /tmp/display ] && systemctl --user is-active --quiet default.target 2>/dev/null; do
    sleep 0.1
done
# What Plasma tells the manager when it starts; the effects would not run on a software renderer.
systemctl --user set-environment "DISPLAY=:$(cat /tmp/display)" "DBUS_SESSION_BUS_ADDRESS=$bus" \
    LIBGL_ALWAYS_SOFTWARE=1 KWIN_EFFECTS_FORCE_ANIMATIONS=1 QT_QPA_PLATFORM=xcb "$@"
# The unit is of the type that is started once it has its name on the bus.
systemctl --user start plasma-kwin_x11.service || {
    cat /tmp/manager.log >&2
    exit 1
}
export DBUS_SESSION_BUS_ADDRESS="$bus"
until busctl --user call org.kde.KWin /KWin org.kde.KWin supportInformation >/dev/null 2>&1; do
    systemctl --user is-active --quiet plasma-kwin_x11.service || exit 1
    sleep 0.1
done
echo "ready"
cat >/dev/null
systemctl --user exit
