# Have a system install the boot menu whose default it is. A part of transact.sh and trial.sh.
#
# NixOS' installers replace each file of the menu by a renamed one. FAT has no journal: the clusters of
# the replaced file can be free on the disk before the directory names those of the new one, and a
# power cut in between leaves an empty entry. Mounted with "sync", FAT writes in the order in which the
# installer asks. Where this process is killed, the partition stays so until the next start.
# shellcheck shell=sh

# fat_boot: print where a partition of FAT is mounted that firmware or loader read, and can be written.
fat_boot() {
    for at_ in /boot /efi /boot/efi; do [ -e "$at_/." ]; done # mounted when somebody looks
    of_=$(tr -cd '[:xdigit:]-' 2>/dev/null <"${ROOT:-}/sys/firmware/efi/efivars/$LOADERS_PARTITION" |
        tr A-F a-f)
    findmnt -nro TARGET,OPTIONS,PARTUUID -t vfat 2>/dev/null | while read -r at_ how_ id_; do
        case $at_ in
            *\\*) continue ;; # a blank in it, as findmnt writes that
            /boot | /boot/* | /efi | /efi/*) ;;
            *) if [ -z "$of_" ] || [ "$id_" != "$of_" ]; then continue; fi ;;
        esac
        case ,$how_, in *,ro,* | *,sync,*) ;; *) say "$at_" ;; esac
    done
}
LOADERS_PARTITION=LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f

# install_menu SYSTEM boot|switch: ends as the system's switch-to-configuration does.
install_menu() {
    in_order_=''
    for at_ in $(fat_boot); do
        if mount -o remount,sync "$at_" 2>/dev/null; then in_order_="$in_order_ $at_"; fi
    done
    (umask 022 && "$1/bin/switch-to-configuration" "$2")
    set -- $?
    for at_ in $in_order_; do mount -o remount,async "$at_" 2>/dev/null; done
    return "$1"
}
