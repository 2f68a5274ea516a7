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
# Values are data and never evaluated. Needs POSIX sh, coreutils, GNU find and grep, and awk.
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
        lines <"$root/commands/$name"
        return
    fi
    command -v -- "$name" >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1 || return 127
    timeout -k 1 "$seconds" "$name" "$@" </dev/null
}
there() { [ -e "$root$1" ]; }

row detect 1

# ---- kernel and CPU ----
first "$root/proc/sys/kernel/arch" # Linux 6.1
[ -n "$line" ] || line=$(program uname 5 -m 2>/dev/null)
[ -n "$line" ] && row arch "$line"
first "$root/proc/sys/kernel/osrelease"
[ -n "$line" ] && row kernel "$line"
first "$root/proc/version"
[ -n "$line" ] && row proc-version "$line"

# ---- memory and swap ----
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

# ---- GPUs ----
links=$newline$(find "$root"/sys/bus/pci/devices/*/driver "$root"/sys/block/* -maxdepth 0 -type l \
    -printf '%p %l\n' 2>/dev/null)$newline
link() { # PATH: set $line to where the link leads
    line=
    case $links in *"$newline$1 "*) line=${links#*"$newline$1 "} line=${line%%"$newline"*} ;; esac
}
there /sys/bus/pci/devices && row pci-bus seen
for path in "$root"/sys/bus/pci/devices/*; do
    [ -d "$path" ] || continue
    first "$path/class"
    case $line in
    # An unreadable device may be a card.
    0x03* | '') ;;
    *) continue ;;
    esac
    class=$line
    first "$path/vendor"
    vendor=$line
    first "$path/device"
    device=$line
    link "$path/driver"
    driver=$line
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
code=127 answer=
if [ -n "$root" ] || command -v nvidia-smi >/dev/null 2>&1; then
    answer=$(program nvidia-smi 10 "--query-gpu=$query" --format=csv,noheader,nounits 2>&1)
    code=$?
fi
row nvidia-smi rc "$code"
[ -n "$answer" ] && lines nvidia-smi out <<LINES
$answer
LINES

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
    # Device mapper, md, bcache.
    for lower in "$path"/slaves/*; do
        [ -e "$lower" ] || [ -L "$lower" ] || continue
        first "$path/dm/uuid"
        # Another path to the same storage unit.
        case $stacked$line in 1mpath-*) break ;; esac
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
    model=$line
    link "$path"
    row disk "$name" "$size" "$rotational" "$removable" "$scheduler" "$line" "$model" "$transport"
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
first "$root/proc/xen/capabilities"
case $line in *control_d*) row mark dom0 ;; esac
there /sys/firmware/efi && row mark efi
there /nix/store && row mark nix

# ---- the user's graphical session ----
session=recorded
if [ -z "$root" ]; then
    session=
    command -v loginctl >/dev/null 2>&1 && session=$(program loginctl 5 show-user "$(id -u)" --property=Display --value 2>/dev/null)
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
names=$newline # "FILE NAME" a line
set --
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
    path=${path%/comm}/environ
    [ -f "$path" ] && [ -r "$path" ] && names=$names$path' '$name$newline && set -- "$@" "$path"
done
if [ "$#" != 0 ]; then
    grep -azsH '^XDG_SESSION_TYPE=' -- "$@" | tr '\000' '\n' | while IFS= read -r line; do
        type=${line#*:XDG_SESSION_TYPE=}
        path=${line%":XDG_SESSION_TYPE=$type"}
        name=${names#*"$newline$path "}
        [ "$name" != "$names" ] && [ -n "$type" ] && row process "${name%%"$newline"*}" "$type"
    done
fi

# ---- files of many lines ----
# One program reads them all, and each once: for /proc/cpuinfo the kernel asks each CPU.
os=/etc/os-release
[ -r "$root$os" ] || os=/usr/lib/os-release
set --
for text in cpu:/proc/cpuinfo memory:/proc/meminfo module:/run/udev/data/+dmi:id \
    mount:/proc/self/mountinfo os:$os; do
    path=$root${text#*:}
    [ -f "$path" ] && [ -r "$path" ] && set -- "$@" "of=${text%%:*}" "$path"
done
for path in "$root"/usr/share/xsessions/*.desktop "$root"/usr/share/wayland-sessions/*.desktop \
    "$root"/run/current-system/sw/share/xsessions/*.desktop \
    "$root"/run/current-system/sw/share/wayland-sessions/*.desktop; do
    [ -e "$path" ] || continue
    row offered "${path#"$root"}"
    [ -f "$path" ] && [ -r "$path" ] && set -- "$@" of=plasma "$path"
done
[ "$#" = 0 ] || awk '
    BEGIN {
        names["vendor_id"] = "vendor"; names["cpu family"] = "family"; names["model"] = "number"
        names["model name"] = "model"; names["flags"] = "flags"
    }
    of == "cpu" {
        cpus = 1
        if (!(at = index($0, ":"))) next
        key = substr($0, 1, at - 1); value = substr($0, at + 1)
        sub(/[ \t]+$/, "", key); sub(/^ */, "", value)
        if (key in names && !((key, value) in seen)) printf "cpu\t%s\t%s\n", names[key], value
        seen[key, value]
        if (key == "processor") count++
        if (key == "physical id") package = value
        if (key == "core id" && !((package, value) in cores)) { cores[package, value]; different++ }
    }
    of == "memory" && /^(MemTotal|SwapTotal): *[0-9]+ kB$/ {
        printf "memory\t%s\t%s\n", substr($1, 1, length($1) - 1), $2
    }
    of == "module" && match($0, /^E:MEMORY_DEVICE_[0-9]+_(TYPE|SIZE)=/) {
        split($0, part, "_")
        if (substr($0, RLENGTH - 4, 4) == "SIZE") sizes[part[3]] = substr($0, RLENGTH + 1)
        else { types[part[3]] = substr($0, RLENGTH + 1); order[++modules] = part[3] }
    }
    of == "mount" {
        if (/ fuse[.]lxcfs /) container = 1
        if ($5 !~ /^\/(nix|nix\/store|sysroot|home|var)?$/) next
        split(substr($0, index($0, " - ") + 3), part, " ")
        printf "mount\t%s\t%s\t%s\t%s\n", $5, part[1], part[2], $3
    }
    of == "os" && /^(ID|VARIANT_ID|VERSION_ID)=/ { printf "os\t%s\n", $0 }
    of == "plasma" && sub(/^X-KDE-PluginInfo-Version=/, "") { printf "plasma\t%s\n", $0 }
    END {
        if (cpus) printf "cpu\tcount\t%d\ncpu\tcores\t%d\n", count, different
        for (i = 1; i <= modules; i++)
            if (order[i] in sizes) printf "module\t%s\t%s\n", types[order[i]], sizes[order[i]]
        if (container) print "mark\tcontainer"
    }' "$@"
for name in plasmashell kwin_x11 kwin_wayland gnome-shell; do
    if [ -n "$root" ]; then
        there "/usr/bin/$name" || there "/run/current-system/sw/bin/$name" || continue
    else
        command -v -- "$name" >/dev/null 2>&1 || continue
    fi
    row program "$name"
done

printf 'detected\n'
