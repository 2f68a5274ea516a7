#!/bin/sh
# Make the disks of a Debian 13 machine: one that systemd-boot starts, one that GRUB starts.
#
# usage: make-image.sh PROJECT ROOT DIRECTORY
#   PROJECT    this checkout
#   ROOT       Debian's packages, packed; made where the file is missing (about 90 s)
#   DIRECTORY  gets systemd-boot.img, grub.img, the key of the user and that of the machine (40 s)
# As root, with mmdebstrap, mtools, dosfstools, e2fsprogs and sfdisk. MIRROR names another mirror
# than the usual one. Nothing is mounted on this machine and no loop device is used.
#
# Strategy: 1 Debian's packages into a directory, packed for the next time; 2 accounts, units, keys
# and the machine's own programs (tests/vm/guest) into it; 3 within it Nix builds the first
# generation of the system and of the home from the user's flakes, which are those of the sandbox;
# 4 for each loader: that generation's switch-to-configuration writes the menu, and the directory
# becomes a disk with a boot partition and a root.
set -eu
project=$1 packed=$2 directory=$3
guest=$project/tests/vm/guest
user=mitsio host=shoshin
packages=systemd,systemd-sysv,systemd-boot,systemd-boot-efi,libpam-systemd,dbus,dbus-user-session
packages=$packages,udev,kmod,dosfstools,linux-image-cloud-amd64,busybox-static,systemd-zram-generator
packages=$packages,grub-efi-amd64-bin,grub2-common,openssh-server,sudo,iproute2,procps
packages=$packages,nix-bin,nix-setup-systemd,git,ca-certificates,libkf6config-bin

for program in mmdebstrap mcopy mkfs.vfat mke2fs sfdisk ssh-keygen; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || {
        echo "make-image.sh: $program is not installed, see .ci/run" >&2
        exit 1
    }
done
export PATH="$PATH:/usr/sbin:/sbin"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
root=$work/root

if [ ! -e "$packed" ]; then
    mmdebstrap --quiet --variant=minbase --include="$packages" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --skip=check/empty \
        trixie "$work/packed.tar" ${MIRROR:+"$MIRROR"}
    mv "$work/packed.tar" "$packed.new"
    mv "$packed.new" "$packed"
fi
mkdir "$root"
tar -xf "$packed" -C "$root" --numeric-owner --exclude='./dev/*' --exclude='./boot/initrd*'

within() { # within COMMAND...: run a program in the directory, with a /proc of its own
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --pid --fork sh -c '
        mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
        exec chroot "$@"' within "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin "$@"
}

# ---- accounts, keys, units -----------------------------------------------------------------------
printf '%s\n' "$host" >"$root/etc/hostname"
printf '127.0.0.1 localhost %s\n' "$host" >"$root/etc/hosts"
printf '%032x\n' 13 >"$root/etc/machine-id"
within useradd --uid 1000 --create-home --shell /bin/bash "$user"
within usermod --password '*' --append --groups nix-users,systemd-journal,dialout "$user"
: >"$root/etc/NIXOS"
printf 'mq-deadline\nzram\n' >"$root/etc/modules-load.d/vm.conf"
printf '%s ALL=(root) NOPASSWD: /bin/sh, /usr/bin/sh\n' "$user" >"$root/etc/sudoers.d/workspace"
chmod 440 "$root/etc/sudoers.d/workspace"
mkdir -p "$root/var/lib/systemd/linger" "$root/var/log/journal" "$root/home/$user/.ssh" "$root/root/.ssh"
: >"$root/var/lib/systemd/linger/$user"
ssh-keygen -q -t ed25519 -N '' -C "$user" -f "$directory/client"
rm -f "$root"/etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -C "$host" -f "$root/etc/ssh/ssh_host_ed25519_key"
cp "$root/etc/ssh/ssh_host_ed25519_key.pub" "$directory/host.pub"
for home in "home/$user" root; do cp "$directory/client.pub" "$root/$home/.ssh/authorized_keys"; done
# A login of root starts no manager of its own: that takes ten seconds in software.
sed -i 's/^\(session.*pam_systemd.so\)/session [success=1 default=ignore] pam_succeed_if.so quiet uid = 0\n\1/' \
    "$root/etc/pam.d/common-session"
printf 'HostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS no\n' >"$root/etc/ssh/sshd_config.d/vm.conf"
cp "$guest/ready.service" "$guest/network.service" "$root/etc/systemd/system/"
within systemctl --quiet enable ready.service network.service ssh.service nix-daemon.socket
within systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    fstrim.timer e2scrub_all.timer grub-common.service getty@.service serial-getty@.service ldconfig.service \
    systemd-pstore.service systemd-timesyncd.service systemd-update-utmp.service \
    systemd-binfmt.service sshd-keygen.service systemd-hwdb-update.service \
    systemd-journal-catalog-update.service remote-fs.target systemd-tpm2-setup-early.service \
    systemd-tpm2-setup.service systemd-boot-update.service systemd-boot-random-seed.service \
    systemd-hostnamed.socket systemd-udev-load-credentials.service sys-kernel-config.mount \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount \
    proc-sys-fs-binfmt_misc.automount modprobe@drm.service dev-hugepages.mount
mkdir -p "$root/etc/systemd/system-generators"
for generator in ssh-generator gpt-auto-generator tpm2-generator cryptsetup-generator \
    veritysetup-generator integritysetup-generator hibernate-resume-generator; do
    ln -s /dev/null "$root/etc/systemd/system-generators/systemd-$generator"
done
for module in kvm kvm_amd kvm_intel ahci vsock vsock_loopback serio_raw evdev button \
    efi_pstore aesni_intel ghash_clmulni_intel sha512_ssse3 sha256_ssse3 sha1_ssse3 crct10dif_pclmul \
    crc32_pclmul qemu_fw_cfg i2c_i801 lpc_ich psmouse pcspkr; do
    echo "blacklist $module"
done >"$root/etc/modprobe.d/vm.conf"
rm -f "$root/etc/systemd/zram-generator.conf" "$root/usr/lib/systemd/zram-generator.conf"
printf 'sandbox = false\nsubstituters =\nexperimental-features = nix-command flakes\n' \
    >"$root/etc/nix/nix.conf" # until the first generation brings its own

# ---- the machine's own programs, kernel and initrd ----------------------------------------------
machine=$root/usr/lib/miniature
mkdir -p "$machine" "$root/nix/var/nix/profiles"
for program in stage-2 activate systemd-boot grub; do
    install -m 755 "$guest/$program" "$machine/$program"
done
for part in nixpkgs home-manager; do cp -R "$project/sandbox/$part" "$machine/$part"; done
kernel=$(basename "$(echo "$root"/usr/lib/modules/*)")
stage() { # stage NAME: an initrd with busybox and stage 1
    mkdir -p "$work/$1/bin"
    for place in proc sys dev run disk; do mkdir "$work/$1/$place"; done
    cp "$root/usr/bin/busybox" "$work/$1/bin/busybox"
    for applet in sh mount sleep switch_root cat echo; do ln -s busybox "$work/$1/bin/$applet"; done
    install -m 755 "$guest/stage-1" "$work/$1/init"
}
stage initrd
stage initrd-hung
: >"$work/initrd-hung/hang"
in_store() { # in_store NAME FILE PART <CONTENT: a path of the store, linked as the part PART
    mkdir -p "$root/tmp/$1"
    cat >"$root/tmp/$1/$2"
    chmod 644 "$root/tmp/$1/$2"
    path=$(within nix-store --add "/tmp/$1")
    within nix-store --add-root "/nix/var/nix/gcroots/$1" --realise "$path" >/dev/null
    ln -s "$path/$2" "$machine/$3"
    rm -r "${root:?}/tmp/$1"
}
in_store "linux-$kernel" bzImage kernel <"$root/boot/vmlinuz-$kernel"
for one in initrd initrd-hung; do
    cp -a "$work/$one" "$root/tmp/stage"
    within sh -c 'cd /tmp/stage && find . | busybox cpio -o -H newc 2>/dev/null' |
        gzip | in_store "$one" initrd "$one"
    rm -r "$root/tmp/stage"
done
ln -s "/usr/lib/modules/$kernel" "$machine/kernel-modules"
rm -f "$root"/boot/* "$root"/initrd* "$root"/vmlinuz*

# ---- the user's flakes, and their first generations ----------------------------------------------
home=$root/home/$user
mkdir -p "$root/etc/nixos" "$home/.config/home-manager"
for flake in "$root/etc/nixos" "$home/.config/home-manager"; do
    for file in "$project"/sandbox/base/*.nix; do
        sed -e 's#@NIXPKGS@#/usr/lib/miniature/nixpkgs#' \
            -e 's#@HOME_MANAGER@#/usr/lib/miniature/home-manager#' "$file" >"$flake/${file##*/}"
    done
    printf '{"host": "%s", "user": "%s", "home": "/home/%s", "root": null, "log": null}\n' \
        "$host" "$user" "$user" >"$flake/host.json"
done
cp "$guest/configuration.nix" "$root/etc/nixos/"
printf '{"kernelParams": [], "initrd": "initrd"}\n' >"$root/etc/nixos/planted.json"
install -m 755 "$guest/generations.sh" "$root/tmp/generations.sh"
within sh /tmp/generations.sh "$user" "$host"
rm "$root/tmp/generations.sh"
within chown -R "$user:$user" "/home/$user"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
touch "$root/etc/.updated" "$root/var/.updated"

# ---- disks ---------------------------------------------------------------------------------------
esp_start=2048 esp_size=327680 root_start=329728 # in sectors of 512 bytes; the root goes to the end
disk() { # disk LOADER ESP: the directory as a disk that LOADER starts; ESP is its boot partition
    within "/nix/var/nix/profiles/system/bin/switch-to-configuration" boot
    if [ "$1" = systemd-boot ]; then
        (cd "$root/boot" && tar -cf - .) | tar -xf - -C "$2"
        rm -rf "${root:?}"/boot/*
        printf '/dev/nvme0n1p1 /boot vfat umask=0077 0 2\n' >"$root/etc/fstab"
    else
        : >"$root/etc/fstab"
    fi
    image=$work/$1.img
    truncate -s 4G "$image"
    sfdisk --quiet "$image" <<-END
	label: gpt
	start=$esp_start, size=$esp_size, type=U
	start=$root_start, type=L
	END
    mke2fs -q -t ext4 -L nixos -O ^metadata_csum_seed,^orphan_file -E "offset=$((root_start * 512))" \
        -d "$root" "$image" $(((4 * 1024 * 1024) - root_start / 2 - 1024))k
    mkfs.vfat -F 32 -s 1 -n ESP -C "$work/partition" $((esp_size / 2)) >/dev/null
    mcopy -s -Q -i "$work/partition" "$2"/* ::/
    dd if="$work/partition" of="$image" bs=512 seek="$esp_start" conv=notrunc,sparse status=none
    rm "$work/partition"
    cp --sparse=always "$image" "$directory/$1.img"
    rm "$image"
}
ln -s systemd-boot "$machine/install-bootloader"
mkdir -p "$work/esp/EFI/BOOT" "$work/esp/EFI/systemd" "$work/esp/loader"
for name in BOOT/BOOTX64.EFI systemd/systemd-bootx64.efi; do
    cp "$root/usr/lib/systemd/boot/efi/systemd-bootx64.efi" "$work/esp/EFI/$name"
done
disk systemd-boot "$work/esp"

ln -sfn grub "$machine/install-bootloader"
mkdir -p "$work/grub/EFI/BOOT" "$root/boot/grub"
# shellcheck disable=SC2016 # expanded by GRUB
printf 'search --label nixos --set=root\nset prefix=($root)/boot/grub\n' >"$root/tmp/early.cfg"
within grub-mkimage -O x86_64-efi -p /boot/grub -c /tmp/early.cfg -o /tmp/BOOTX64.EFI \
    part_gpt ext2 fat normal search search_label linux loadenv test echo configfile sleep reboot
mv "$root/tmp/BOOTX64.EFI" "$work/grub/EFI/BOOT/"
rm "$root/tmp/early.cfg"
within grub-editenv /boot/grub/grubenv create
disk grub "$work/grub"
cp /usr/share/OVMF/OVMF_VARS_4M.fd "$directory/variables.fd"
