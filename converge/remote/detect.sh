# Read what hardware and session a machine has, as the user, and write nothing.
#
# usage: detect.sh [ROOT]
#   ROOT  prefix of every path, for a recorded tree. Then no programs run: their output is read from
#         ROOT/commands/NAME.
#
# Output: one line per fact, "KEY<TAB>VALUE<TAB>...", the first "detect<TAB>1", the last "detected".
# A key has a line for each of its facts; a missing line means: not seen. Lines:
#   arch M · kernel RELEASE · proc-version LINE
#   cpu vendor|family|number|model VALUE · cpu count N · cpu cores N · cpu flags LINE
#     each distinct line of all CPUs once; cores counts distinct (package, core) pairs
#   memory MemTotal KIB · memory SwapTotal KIB · swap FILE TYPE KIB PRIORITY
#   dmi NAME VALUE · module TYPE BYTES  (memory modules as udev saw them at boot)
#   pci-bus seen · pci SLOT VENDOR DEVICE CLASS DRIVER BOOT_VGA REMOVABLE
#   connector SLOT NAME STATUS  (SLOT "vmbus": Hyper-V's own card, which is on no PCI bus)
#   disk NAME SECTORS ROTATIONAL REMOVABLE SCHEDULERS LINK MODEL TRANSPORT · dev NAME MAJOR:MINOR
#   part NAME DISK · dm NAME MAPPED LOWER · mount POINT FSTYPE SOURCE MAJOR:MINOR
#   member NAME FSTYPE UUID LABEL  (what udev found on a disk or partition)
#   zram NAME BYTES ALGORITHMS
#   nvidia proc|module LINE · nvidia-smi rc N · nvidia-smi out LINE · device PATH
#   mark NAME · os NAME=VALUE
#   session type|desktop|state VALUE · process NAME TYPE · offered FILE · program NAME
#   plasma VERSION  (as its session files say)
# Values are data and never evaluated. Needs POSIX sh, coreutils and sed.
root=${1-}

first() { # FILE: set $line to its first line, or to nothing; starts no process
    line=
    # shellcheck disable=SC2094
    [ -r "$1" ] && [ ! -p "$1" ] && [ ! -d "$1" ] && { IFS= read -r line <"$1" || :; } 2>/dev/null
    return 0
}
lines() { # KEY...: print each line of standard input after the keys
    prefix=
    for value in "$@"; do
        prefix=$prefix$value$tab
    done
    while IFS= read -r line || [ -n "$line" ]; do
        printf '%s%s\n' "$prefix" "$line"
    done
}
program() { # NAME SECONDS ARGUMENT...: run it with a time limit, or read its recorded output
    name=$1 seconds=$2
    shift 2
    if [ -n "$root" ]; then
        [ -r "$root/commands/$name" ] || return 127
        cat -- "$root/commands/$name"
        return
    fi
    command -v -- "$name" >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1 || return 127
    timeout -k 1 "$seconds" "$name" "$@" </dev/null
}
there() { [ -e "$root$1" ]; }

row detect 1

# ---- kernel and CPU ----
machine=$(program uname 5 -m 2>/dev/null)
[ -n "$machine" ] && row arch "$machine"
first "$root/proc/sys/kernel/osrelease"
[ -n "$line" ] && row kernel "$line"
first "$root/proc/version"
[ -n "$line" ] && row proc-version "$line"
if [ -r "$root/proc/cpuinfo" ]; then
    field() { sed -n "s/^$1[[:space:]]*: *//p" "$root/proc/cpuinfo" | sort -u; }
    field vendor_id | lines cpu vendor
    field 'cpu family' | lines cpu family
    field model | lines cpu number
    field 'model name' | lines cpu model
    field flags | lines cpu flags
    row cpu count "$(grep -c '^processor[[:space:]]*:' "$root/proc/cpuinfo")"
    row cpu cores "$(sed -n \
        -e 's/^physical id[[:space:]]*: *//p' -e 's/^core id[[:space:]]*: *//p' \
        "$root/proc/cpuinfo" | paste -d ' ' - - | sort -u | grep -c .)"
fi

# ---- memory and swap ----
if [ -r "$root/proc/meminfo" ]; then
    sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' "$root/proc/meminfo" | lines memory MemTotal
    sed -n 's/^SwapTotal: *\([0-9]*\) kB$/\1/p' "$root/proc/meminfo" | lines memory SwapTotal
fi
if [ -r "$root/proc/swaps" ]; then
    {
        read -r _
        while read -r file type size _ priority; do
            row swap "$file" "$type" "$size" "$priority"
        done
    } <"$root/proc/swaps"
fi
for path in "$root"/sys/block/zram*; do
    [ -d "$path" ] || continue
    first "$path/disksize"
    size=$line
    first "$path/comp_algorithm"
    row zram "${path##*/}" "$size" "$line"
done

# ---- firmware ----
for name in sys_vendor product_name board_vendor board_name chassis_type; do
    first "$root/sys/class/dmi/id/$name"
    [ -n "$line" ] && row dmi "$name" "$line"
done
if [ -r "$root/run/udev/data/+dmi:id" ]; then
    sed -n -e 's/^E:MEMORY_DEVICE_\([0-9]*\)_TYPE=\(.*\)$/\1 TYPE \2/p' \
        -e 's/^E:MEMORY_DEVICE_\([0-9]*\)_SIZE=\(.*\)$/\1 SIZE \2/p' \
        "$root/run/udev/data/+dmi:id" | sort -k1,1n -k2,2 | {
        size=
        while read -r number what value; do
            case $what in
            SIZE) size=$number:$value ;;
            TYPE) [ "${size%%:*}" = "$number" ] && row module "$value" "${size#*:}" ;;
            esac
        done
    }
fi

# ---- GPUs ----
there /sys/bus/pci/devices && row pci-bus seen
for path in "$root"/sys/bus/pci/devices/*; do
    [ -d "$path" ] || continue
    first "$path/class"
    case $line in
    0x03* | '') ;; # an unreadable device may be a card
    *) continue ;;
    esac
    class=$line
    first "$path/vendor"
    vendor=$line
    first "$path/device"
    device=$line
    driver=$(readlink -- "$path/driver" 2>/dev/null)
    first "$path/boot_vga"
    boot=$line
    first "$path/removable"
    row pci "${path##*/}" "$vendor" "$device" "$class" "${driver##*/}" "$boot" "$line"
    for connector in "$path"/drm/card*/card*-* "$path"/virtio*/drm/card*/card*-*; do
        first "$connector/status"
        name=${connector##*/}
        [ -n "$line" ] && row connector "${path##*/}" "${name#card*-}" "$line"
    done
done
for connector in "$root"/sys/bus/vmbus/drivers/hyperv_drm/*/drm/card*/card*-*; do
    first "$connector/status"
    name=${connector##*/}
    [ -n "$line" ] && row connector vmbus "${name#card*-}" "$line"
done
first "$root/proc/driver/nvidia/version"
[ -n "$line" ] && row nvidia proc "$line"
first "$root/sys/module/nvidia/version"
[ -n "$line" ] && row nvidia module "$line"
for path in "$root"/dev/dri/* "$root/dev/dxg" "$root/dev/nvidia0"; do
    [ -e "$path" ] && row device "${path#"$root"}"
done
query=name,compute_cap,driver_version,memory.total,pci.device_id
answer=$(program nvidia-smi 10 "--query-gpu=$query" --format=csv,noheader,nounits 2>&1)
code=$?
row nvidia-smi rc "$code"
[ -n "$answer" ] && printf '%s\n' "$answer" | lines nvidia-smi out

# ---- disks ----
member() { # PATH: number of a block device in sysfs, and what udev found on it
    first "$1/dev"
    number=$line
    [ -n "$number" ] || return 0
    row dev "${1##*/}" "$number"
    [ -r "$root/run/udev/data/b$number" ] || return 0
    fs='' uuid='' label=''
    while IFS= read -r line; do
        case $line in
        E:ID_FS_TYPE=*) fs=${line#*=} ;;
        E:ID_FS_UUID=*) uuid=${line#*=} ;;
        E:ID_FS_LABEL=*) label=${line#*=} ;;
        esac
    done <"$root/run/udev/data/b$number"
    [ -n "$fs" ] && row member "${1##*/}" "$fs" "$uuid" "$label"
    return 0
}
parts() { # PATH: partitions of a block device
    for part in "$1/${1##*/}"*; do
        [ -d "$part" ] || continue
        row part "${part##*/}" "${1##*/}"
        member "$part"
    done
}
for path in "$root"/sys/block/*; do
    name=${path##*/}
    case $name in
    '*' | loop* | ram* | zram* | sr* | fd* | nbd* | zd* | nvme*c*n* | mmcblk*boot* | mmcblk*rpmb)
        continue
        ;;
    esac
    member "$path"
    stacked=
    for lower in "$path"/slaves/*; do # device mapper, md, bcache
        [ -e "$lower" ] || [ -L "$lower" ] || continue
        first "$path/dm/uuid"
        case $stacked$line in 1mpath-*) break ;; esac # another path to the same storage unit
        stacked=1
        first "$path/dm/name"
        row dm "$name" "${line:-$name}" "${lower##*/}"
    done
    case $stacked$name in 1* | dm-* | md*)
        parts "$path"
        continue
        ;;
    esac
    first "$path/size"
    size=$line
    first "$path/queue/rotational"
    rotational=$line
    first "$path/removable"
    removable=$line
    first "$path/queue/scheduler"
    scheduler=$line
    transport=
    for file in "$path/device/transport" "$path"/device/nvme*/transport; do
        first "$file"
        transport=${transport:-$line}
    done
    first "$path/device/model"
    row disk "$name" "$size" "$rotational" "$removable" "$scheduler" \
        "$(readlink -- "$path" 2>/dev/null)" "$line" "$transport"
    parts "$path"
done
for path in "$root"/sys/fs/btrfs/*/devices/* "$root"/sys/fs/bcachefs/*/dev-*/block; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    pool=${path#"$root"/sys/fs/*/}
    name=${path##*/}
    case $path in
    */block) name=$(readlink -- "$path") name=${name##*/} ;;
    esac
    fs=${path#"$root"/sys/fs/}
    row member "$name" "${fs%%/*}" "${pool%%/*}" ''
done
if [ -r "$root/proc/self/mountinfo" ]; then
    while read -r _ _ number _ point rest; do
        case $point in
        / | /nix | /nix/store | /sysroot | /home | /var) ;;
        *) continue ;;
        esac
        rest=${rest#* - }
        type=${rest%% *}
        rest=${rest#* }
        row mount "$point" "$type" "${rest%% *}" "$number"
    done <"$root/proc/self/mountinfo"
fi

# ---- what kind of system ----
there /etc/NIXOS && row mark nixos
there /run/ostree-booted && row mark ostree
there /proc/sys/fs/binfmt_misc/WSLInterop && row mark wsl
there /run/WSL && row mark wsl
there /run/systemd/system && row mark systemd
there /run/.containerenv && row mark container
there /.dockerenv && row mark container
there /run/systemd/container && row mark container
there /run/host/container-manager && row mark container
grep -q ' fuse.lxcfs ' "$root/proc/self/mountinfo" 2>/dev/null && row mark container
grep -q control_d "$root/proc/xen/capabilities" 2>/dev/null && row mark dom0
there /sys/firmware/efi && row mark efi
there /nix/store && row mark nix
for path in "$root/etc/os-release" "$root/usr/lib/os-release"; do
    [ -r "$path" ] || continue
    sed -n -e '/^ID=/p' -e '/^VARIANT_ID=/p' -e '/^VERSION_ID=/p' "$path" | lines os
    break
done

# ---- the user's graphical session ----
session=recorded
if [ -z "$root" ]; then
    session=$(program loginctl 5 show-user "$(id -u)" --property=Display --value 2>/dev/null)
fi
if [ -n "$session" ]; then
    program loginctl 5 show-session "$session" --property=Type --property=Desktop \
        --property=State 2>/dev/null | while IFS='=' read -r key value; do
        case $key in
        Type) row session type "$value" ;;
        Desktop) row session desktop "$value" ;;
        State) row session state "$value" ;;
        esac
    done
fi
for path in "$root"/proc/[0-9]*/comm; do
    first "$path"
    name=${line#.} # a wrapper of nixpkgs starts .NAME-wrapped, cut at 15 characters
    case $name in
    kwin_x11*) name=kwin_x11 ;;
    kwin_wayland*) name=kwin_wayland ;;
    plasmashell*) name=plasmashell ;;
    gnome-shell* | xfce4-session* | cinnamon | cinnamon-sess* | mate-session* | lxqt-session* | \
        lxsession | budgie-wm* | sway | sway-* | Hyprland | Hyprland-* | hyprland | niri | niri-* | \
        river | labwc | wayfire | cosmic-comp* | cosmic-session* | i3 | i3-* | awesome | bspwm | openbox | \
        dwm | xmonad* | qtile* | enlightenment* | gala | weston) ;;
    *) continue ;;
    esac
    # Only processes of this user are readable; the others do not matter here.
    type=$({ tr '\000' '\n' <"${path%/comm}/environ"; } 2>/dev/null |
        sed -n 's/^XDG_SESSION_TYPE=//p')
    [ -n "$type" ] && row process "$name" "$type"
done
for path in "$root"/usr/share/xsessions/*.desktop "$root"/usr/share/wayland-sessions/*.desktop \
    "$root"/run/current-system/sw/share/xsessions/*.desktop \
    "$root"/run/current-system/sw/share/wayland-sessions/*.desktop; do
    [ -e "$path" ] || continue
    row offered "${path#"$root"}"
    [ -r "$path" ] && [ ! -p "$path" ] && sed -n 's/^X-KDE-PluginInfo-Version=//p' "$path" |
        lines plasma
done
for name in plasmashell kwin_x11 kwin_wayland gnome-shell; do
    if [ -n "$root" ]; then
        there "/usr/bin/$name" || there "/run/current-system/sw/bin/$name" || continue
    else
        command -v -- "$name" >/dev/null 2>&1 || continue
    fi
    row program "$name"
done

printf 'detected\n'
