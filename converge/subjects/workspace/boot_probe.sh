# The boot menu: which loaders have one, and what each says; boot_menu.py reads it.
# shellcheck shell=sh disable=SC2154 # root: common.sh
#
# Lines: "loader NAME PLACE" begins a menu; of systemd-boot follow "conf LINE", "entry NAME" or
# "uki NAME", each with "text KEY VALUE", and "unreadable PATH"; of the others the lines of their own
# file that say what is offered. "closed PATH": a partition into which nobody but root can look.

# A boot partition is often for root only: what cannot be read is asked of sudo, where that asks for
# no password.
seen() { (peek "$1" >/dev/null 2>&1); } # peek ends its shell where a file cannot be read
readable() { [ -r "$1" ] && { ! [ -d "$1" ] || [ -x "$1" ]; }; }
names() { # names DIRECTORY SUFFIX: what lies in it
    if readable "$1"; then ls -- "$1"; else as_root ls -- "$1"; fi | grep -i "$2\$"
}

# ---- where it can lie ----
# places: the partition of the loader and an extended one have three usual places; GRUB may be
# mirrored to more (/boot1, /boot-fallback), and a FAT partition may be mounted anywhere.
places() {
    {
        printf '%s\n' "$root/boot" "$root/efi" "$root/boot/efi" "$root"/boot[-_0-9a-z]*
        if [ -r "$root/proc/self/mountinfo" ]; then
            while read -r _ _ _ _ point rest; do
                case $rest in *' - vfat '*) printf '%s\n' "$root$point" ;; esac
            done <"$root/proc/self/mountinfo"
        fi
    } | while IFS= read -r place; do
        if [ -d "$place" ]; then say "$place"; fi
    done | sort -u
}
variable() { # variable NAME: one of systemd-boot's own, which is text in UTF-16
    tr -cd '\40-\176' 2>/dev/null \
        <"$root/sys/firmware/efi/efivars/$1-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
}
partition() { # partition PLACE KEY: what udev knows of the partition that is mounted there
    [ -r "$root/proc/self/mountinfo" ] || return 0
    while read -r _ _ number _ point _; do
        if [ "$root$point" = "$1" ] && [ -r "$root/run/udev/data/b$number" ]; then
            sed -n "s/^E:ID_PART_ENTRY_$2=//p" "$root/run/udev/data/b$number"
        fi
    done <"$root/proc/self/mountinfo" | tail -n 1 | tr 'A-F' 'a-f'
}

# ---- systemd-boot ----
# entries DIRECTORY: entries of type 1, each with the lines that say what it is and whether what it
# loads is there
entries() {
    names "$1/loader/entries" '\.conf' | while IFS= read -r name; do
        say entry "$name"
        if ! seen "$1/loader/entries/$name"; then
            say text unread yes
            continue
        fi
        # The loader ends a line at \r as well, takes \ for /, and shows nothing that loads nothing.
        said=$(peek "$1/loader/entries/$name" 2>/dev/null | tr '\r\0' '\n ' | cut -c -8192 |
            grep -aE '^[[:space:]]*(title|version|linux|efi|uki|options|architecture)[[:space:]]')
        printf '%s\n' "$said" | grep -qE '^[[:space:]]*(linux|efi|uki)[[:space:]]' ||
            say text missing "$name: linux, efi or uki"
        printf '%s\n' "$said" | while read -r key value; do
            case $key in
                options) value=$(init "$value") ;;
                linux | efi | uki)
                    value=$(printf '%s' "$value" | tr '\134' '/')
                    exists "$1/${value#/}" || say text missing "$value"
                    ;;
            esac
            if [ -n "$value" ]; then say text "$key" "$value"; fi
        done
    done
}
# init LINE: of a kernel's parameters the one that says which system it boots. The first one is NixOS'
# own; one of the user's may follow.
init() { printf '%s\n' "$1" | grep -oE -m 1 'init=/[^[:space:]"]+' | head -n 1; }
# images DIRECTORY: unified kernel images: their sections say what they are
images() {
    names "$1/EFI/Linux" '\.efi' | while IFS= read -r name; do
        say uki "$name"
        readable "$1/EFI/Linux/$name" || may_sudo || say text unread yes
        peek "$1/EFI/Linux/$name" 2>/dev/null | head -c 8192 | od -An -v -tu1 | {
            # shellcheck disable=SC2046 # each number is a word
            set -- $(cat)
            sections "$@"
        } | while read -r section offset size; do
            text=$(peek "$directory/EFI/Linux/$name" 2>/dev/null | tail -c "+$((offset + 1))" |
                head -c "$size" | tr -d '\0')
            case $section in
                .osrel)
                    printf '%s\n' "$text" | sed -n -e 's/^VERSION_ID=/text version /p' \
                        -e 's/^PRETTY_NAME=/text title /p' | tr -d '"'
                    ;;
                .cmdline) printf 'text options %s\n' "$(init "$text")" ;;
                .profile) say text profile "$(printf '%s' "$text" | sed -n 's/^ID=//p')" ;;
                .linux) # a stub loads its kernel from a file, with \ for /
                    kernel=$(printf '%s' "$text" | tr '\134' '/')
                    exists "$directory/${kernel#/}" || say text missing "$kernel"
                    ;;
            esac
        done
    done
}
little() { printf '%s' "$(($1 + $2 * 256 + $3 * 65536 + $4 * 16777216))"; } # little BYTE*4
# sections BYTE...: name, offset and size of those sections of a PE image that are read, from its
# first bytes (Microsoft, PE Format)
sections() {
    [ "$#" -ge 64 ] && [ "$1 $2" = '77 90' ] || return 0
    all=$#
    shift 60
    header=$(little "$1" "$2" "$3" "$4")
    [ "$header" -ge 64 ] && [ "$((header + 264))" -lt "$all" ] || return 0
    shift "$((header - 60))"
    [ "$1 $2 $3 $4" = '80 69 0 0' ] || return 0
    number=$(($7 + $8 * 256)) optional=$((${21} + ${22} * 256))
    [ "$((24 + optional + number * 40))" -le "$#" ] || return 0
    shift "$((24 + optional))"
    while [ "$number" -gt 0 ]; do
        number=$((number - 1))
        size=$(little "$9" "${10}" "${11}" "${12}") stored=$(little "${17}" "${18}" "${19}" "${20}")
        if [ "$size" -gt "$stored" ]; then size=$stored; fi
        offset=$(little "${21}" "${22}" "${23}" "${24}")
        case "$1 $2 $3 $4 $5 $6 $7 $8" in
            '46 111 115 114 101 108 0 0') name=.osrel ;;
            '46 99 109 100 108 105 110 101') name=.cmdline ;;
            '46 108 105 110 117 120 0 0') name=.linux ;;
            '46 112 114 111 102 105 108 101') name=.profile ;;
            *) name='' ;;
        esac
        # A kernel is no text; a path to one is.
        if [ -n "$name" ] && [ "$size" -le 16384 ]; then say "$name" "$offset" "$size"; fi
        shift 40
    done
}
is_loaders() { exists "$1/loader/loader.conf" || exists "$1/EFI/systemd/systemd-bootx64.efi"; }
listed() { # listed PLACE: what a partition offers
    directory=$1
    for part in loader/entries EFI/Linux; do
        exists "$directory/$part" || continue
        if ! readable "$directory/$part" && ! may_sudo; then
            say unreadable "$directory/$part"
        elif [ "$part" = EFI/Linux ]; then
            images "$directory"
        else
            entries "$directory"
        fi
    done
}
# systemd_boot PLACE...: a menu for each partition with a loader, or for the one that started this
# system, where firmware says so. An extended partition (XBOOTLDR) belongs to all of them.
systemd_boot() {
    started_from=$(variable LoaderDevicePartUUID | tr 'A-F' 'a-f') own=''
    for place in "$@"; do
        if [ -n "$started_from" ] && [ "$(partition "$place" UUID)" = "$started_from" ] &&
            is_loaders "$place"; then own=$place; fi
    done
    for loader in "$@"; do
        is_loaders "$loader" || continue
        [ -z "$own" ] || [ "$own" = "$loader" ] || continue
        say loader systemd-boot "$loader"
        if exists "$loader/loader/loader.conf"; then
            if seen "$loader/loader/loader.conf"; then
                { peek "$loader/loader/loader.conf" && say; } | tr '\r' '\n' |
                    sed -n '/./s/^/conf /p'
            else
                say unreadable "$loader/loader/loader.conf"
            fi
        fi
        # What was set by + and - in the menu itself comes before the file.
        set_there=$(variable LoaderConfigTimeout)
        if [ -n "$set_there" ]; then say conf timeout "$set_there"; fi
        listed "$loader"
        for place in "$@"; do
            if [ "$place" = "$loader" ] || is_loaders "$place"; then continue; fi
            case $(partition "$place" TYPE) in
                '' | bc13c2ff-59e6-4262-a352-b275fd6f7172) listed "$place" ;;
            esac
        done
    done
}

# ---- the others: one file each ----
of_file() { # of_file LOADER PATTERN FILE...
    name=$1 pattern=$2
    shift 2
    for file in "$@"; do
        exists "$file" || continue
        say loader "$name" "$file"
        if ! seen "$file"; then
            say unreadable "$file"
        else
            peek "$file" | grep -aE "$pattern" | cut -c -2000
        fi
    done
}
# probe_boot: the menus of the loader that started this system, as far as it says who it is (GRUB
# before 2.12, and all of them without UEFI, do not); else those of every loader that has one.
probe_boot() {
    found=$(places) closed='' started=$(variable LoaderInfo)
    set --
    while IFS= read -r place; do
        if [ -n "$place" ]; then set -- "$@" "$place"; fi
    done <<EOF
$found
EOF
    for place in "$@"; do
        if ! readable "$place" && ! { of_boot "$place/" && may_sudo; }; then
            closed="${closed}closed $place$newline"
        fi
    done
    case $started in
        *systemd-boot*) only=systemd-boot ;;
        *[Ll]imine*) only=limine ;;
        *GRUB*) only=grub ;;
        *rEFInd*) only=refind ;;
        '') only='' ;;
        *) stop 121 "the menu of ${started}, which started this system, is of no known form" ;;
    esac
    menus=$(menus "$@")
    if [ -n "$menus" ]; then
        say "$menus"
        printf %s "$closed"
    elif [ -n "$closed" ]; then
        closed=${closed%%"$newline"*}
        stop 122 "${closed#closed }"
    else
        stop 121 "$root/boot, $root/efi: no menu of ${only:-GRUB, systemd-boot, Limine, rEFInd or extlinux}"
    fi
}
menus() { # menus PLACE...
    wanted() { [ -z "$only" ] || [ "$only" = "$1" ]; }
    if wanted systemd-boot; then systemd_boot "$@"; fi
    for place in "$@"; do
        if wanted grub; then
            of_file grub '^[[:space:]]*(menuentry|submenu|set timeout|\})|\{[[:space:]]*$|init=/' \
                "$place/grub/grub.cfg" "$place/grub2/grub.cfg"
        fi
        if wanted limine; then # of the places that it looks at, the first one with a file
            for file in limine.conf limine/limine.conf boot/limine.conf boot/limine/limine.conf \
                EFI/limine/limine.conf EFI/BOOT/limine.conf limine.cfg limine/limine.cfg \
                boot/limine.cfg boot/limine/limine.cfg EFI/BOOT/limine.cfg; do
                exists "$place/$file" || continue
                of_file limine '^[[:space:]]*([/:]|timeout|(kernel_)?cmdline)|^[[:space:]]*(TIMEOUT|(KERNEL_)?CMDLINE)' \
                    "$place/$file"
                break
            done
        fi
        if wanted refind; then
            of_file refind '^[[:space:]]*((sub)?menuentry|timeout|options|disabled|include|\})|\{[[:space:]]*$' \
                "$place/EFI/refind/refind.conf" "$place/EFI/BOOT/refind.conf"
        fi
        if wanted extlinux; then
            of_file extlinux '^[[:space:]]*(LABEL|TIMEOUT|PROMPT|MENU LABEL|APPEND)' \
                "$place/extlinux/extlinux.conf" "$place/syslinux/syslinux.cfg"
        fi
    done
}
