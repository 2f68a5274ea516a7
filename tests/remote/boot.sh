# Boot this machine's own system once more, with systemd as process 1, in namespaces.
#
# usage: unshare --mount --pid --net --ipc --uts --cgroup --fork sh boot.sh DISK BOX PROJECT
#   DISK  what the machine writes goes there, and stays there for its next boot
#   BOX   a sandbox in it: its system comes up in the generation that is its boot default
#   PROJECT  this checkout: it is there in the machine too, also where it lies below /tmp
# Nothing of the running system is touched: its files are the lower half of an overlay, units that
# are enabled in it are not in the machine, /proc/sys and /sys are read only.
set -eu
disk=$1 box=$2 project=$3
mount --make-rprivate /
mkdir -p "$disk/upper" "$disk/work" "$disk/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" "$disk/root"
cd "$disk/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
case $project in
    /tmp/*)
        mkdir -p ".$project"
        mount --bind "$project" ".$project"
        ;;
esac
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
    : >"dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
# Of the kernel only this is the same in every boot of the machine.
cat proc/sys/kernel/random/uuid >run/boot_id
mount --bind run/boot_id proc/sys/kernel/random/boot_id
mount --bind -o ro proc/sys proc/sys 2>/dev/null || mount -o remount,bind,ro proc/sys
mkdir -p old
pivot_root . old
cd /
umount -l old
ln -sfn "$(readlink -f "$box/nix/var/nix/profiles/system")" "$box/run/current-system"
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set=-sys_module,-sys_time,-syslog,-sys_rawio \
    /lib/systemd/systemd --unit=workspace.target
