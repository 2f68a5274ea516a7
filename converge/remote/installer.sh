# Have a system install the boot menu whose default it is. A part of transact.sh, undo.sh and trial.sh.
#
# NixOS' installers replace each file of the menu by a renamed one. FAT has no journal: the clusters of
# the replaced file can be free on the disk before the directory names those of the new one, and a
# power cut in between leaves an empty entry. Mounted with "sync", FAT writes in the order in which the
# installer asks. Where this process is killed, the partition stays so until the next start.
# shellcheck shell=sh

# fat_boot: print "sync|async AT" for each partition of FAT that firmware or loader read and that can be
# written: how it writes now, and where it is mounted.
fat_boot() {
    # Mounted when somebody looks.
    for at_ in /boot /efi /boot/efi; do [ -e "$at_/." ]; done
    of_=$(tr -cd '[:xdigit:]-' 2>/dev/null <"${ROOT:-}/sys/firmware/efi/efivars/$LOADERS_PARTITION" |
        tr A-F a-f)
    findmnt -nro TARGET,OPTIONS,PARTUUID -t vfat 2>/dev/null | while read -r at_ how_ id_; do
        case $at_ in
            *\\*) continue ;; # a blank in it, as findmnt writes that
            /boot | /boot[0-9-]* | /boot/* | /efi | /efi/*) ;; # GRUB has a copy in /boot2
            *) if [ -z "$of_" ] || [ "$id_" != "$of_" ]; then continue; fi ;;
        esac
        case ,$how_, in *,ro,*) ;; *,sync,*) say "sync $at_" ;; *) say "async $at_" ;; esac
    done
}
LOADERS_PARTITION=LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f

# writes sync|async AT: all else of the mount stays as it is now. Left to itself, mount takes the options
# of fstab too: "ro" of a partition that somebody had made writable, or "noexec".
writes() { mount --options-source mtab -o "remount,$1" "$2" 2>/dev/null; }

# unblock AT: remove what an installer that was killed, or cut off, had begun. NixOS' makes loader.tmp
# only where there is none, so each later one would fail. One that runs has its file open.
unblock() {
    begun_=$1/loader/loader.tmp
    if [ -f "$begun_" ] && ! find /proc/[0-9]*/fd -lname "$begun_" 2>/dev/null | grep -q .; then
        rm -f -- "$begun_"
    fi
}

# install_menu SYSTEM boot|switch: ends as the system's switch-to-configuration does.
install_menu() {
    in_order_=''
    trap 'as_before; trap - TERM; kill -TERM "$$"' TERM # a rollback stops a trial's unit
    while read -r how_ at_; do
        if [ -z "$at_" ]; then continue; fi
        unblock "$at_"
        if [ "$how_" = async ] && writes sync "$at_"; then in_order_="$in_order_ $at_"; fi
    done <<PARTITIONS
$(fat_boot)
PARTITIONS
    (umask 022 && "$1/bin/switch-to-configuration" "$2")
    set -- $?
    # NixOS' installer of GRUB syncs nothing: XFS would have the name of the new grub.cfg before its text,
    # and ext4 a kernel of no length, which no later installer would copy again.
    if [ -d "${ROOT:-}/boot" ]; then sync -f -- "${ROOT:-}/boot"; fi
    as_before
    trap - TERM
    return "$1"
}
as_before() { for at_ in $in_order_; do writes async "$at_"; done; }
