#!/bin/sh
# A whole machine in a root made by `make-root.sh DIRECTORY plasma`: systemd as the first process, the
# system's bus, logind, a server of SSH, in namespaces of their own (processes, network, host name).
# It has no seat and no graphics card. Its end is that of the namespaces and of all in them.
#
# usage: desktop.sh ROOT      (as root)
# Runs until its standard input ends.
#
# Passes of this script: outside, which ends the machine and clears its control groups away; group, in
# mounts of its own, which enters a control group; inside, which mounts and becomes the first process.
set -eu
root=$1
groups=$(sed -n 's/^0:://p' /proc/self/cgroup)
groups=${groups%/}

case ${PASS:-outside} in
    outside)
        CHECK=workspace-desktop-$$
        export CHECK
        PASS=group unshare --mount "$0" "$root" </dev/null &
        cat >/dev/null
        kill -9 "$!" 2>/dev/null || :
        wait "$!" || :
        PASS=clear exec unshare --mount "$0" "$root"
        ;;
    clear) # an empty group stays until it is removed; the last process leaves it a moment after its end
        mount --make-rprivate /
        mount -t cgroup2 none /mnt
        until grep -qx 'populated 0' "/mnt$groups/$CHECK/cgroup.events"; do sleep 0.1; done
        find "/mnt$groups/$CHECK" -depth -type d -exec rmdir {} \;
        ;;
    group)
        mount --make-rprivate /
        mount -t cgroup2 none /mnt
        mkdir "/mnt$groups/$CHECK"
        echo $$ >"/mnt$groups/$CHECK/cgroup.procs"
        umount /mnt
        PASS=inside exec unshare --cgroup --pid --fork --kill-child --uts --ipc --net "$0" "$root"
        ;;
    inside)
        hostname plasma
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount --bind "$root/proc/sys" "$root/proc/sys" # what is there is the kernel's, for all
        mount -o remount,bind,ro "$root/proc/sys"
        mount -t sysfs -o ro sysfs "$root/sys"
        mount -t cgroup2 none "$root/sys/fs/cgroup"
        mount -t tmpfs -o mode=755 tmpfs "$root/run"
        mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        device() { mknod -m 666 "$root/dev/$1" c "$2" "$3"; }
        device null 1 3 && device zero 1 5 && device full 1 7 && device random 1 8
        device urandom 1 9 && device tty 5 0
        mkdir "$root/dev/pts" "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        ln -s pts/ptmx "$root/dev/ptmx"
        ln -s /proc/self/fd "$root/dev/fd"
        for each in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${each%:*}" "$root/dev/${each#*:}"; done
        cd "$root"
        pivot_root . mnt
        exec chroot . /bin/sh -c 'umount -l /mnt && exec env -i container=other \
            PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --system --log-target=journal'
        ;;
esac
