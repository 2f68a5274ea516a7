# Ask one workspace for everything the checks want to know, in one command, and change nothing.
#
# usage: check.sh SELF ROOT CAP [ID LIMIT COUNT PROBE ARGUMENT...]...
#   SELF   the text of this program: a probe runs in a shell of its own, so that it can be stopped
#   ROOT   prefix of /proc, /sys, /run and /boot ("" except in a sandbox)
#   CAP    bytes of output that are kept of each probe
#   ID     what the answer is called, LIMIT seconds, COUNT words that follow: the probe, its arguments
# Output: "workspace-check 1", then a line "answer ID =OUTPUT STATUS =ERRORS" for each question, then
# "end". OUTPUT and ERRORS are base64: whatever a program prints, it cannot write a line of ours. A
# probe that does not end in time has the answer "answer ID timeout".
#
# Status of a probe: that of its program, or 120 a program is missing (its name is in ERRORS), 121
# nothing there, 122 not permitted, 123 nobody to ask (no bus, no session, no such process).
# Needs POSIX sh, GNU coreutils and grep.
set -u
LC_ALL=C
export LC_ALL
umask 077
self=$1 root=$2 cap=$3
shift 3
PATH=$PATH:/run/wrappers/bin:/run/current-system/sw/bin:$HOME/.nix-profile/bin
PATH=$PATH:/etc/profiles/per-user/$(id -un)/bin:/nix/var/nix/profiles/default/bin:/usr/sbin:/sbin
# The bus of this user's manager, whatever session this command was started from.
: "${XDG_RUNTIME_DIR:=/run/user/$(id -u)}"
DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
export PATH XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS

say() { printf '%s\n' "$*"; }
stop() { # stop STATUS TEXT: no answer, and why
    printf '%s\n' "$2" >&2
    exit "$1"
}
need() { command -v "$1" >/dev/null 2>&1 || stop 120 "$1"; }
bus() { [ -S "$XDG_RUNTIME_DIR/bus" ] || stop 123 "no user bus ($XDG_RUNTIME_DIR/bus)"; }
first_line() { { IFS= read -r line <"$1" && printf '%s\n' "$line"; } 2>/dev/null; }
nixes() { nix --extra-experimental-features 'nix-command flakes' "$@"; }

# belongs DIRECTORY: whether a process is this user's. The kernel gives the files of a process with
# capabilities to root, so its own status is asked.
belongs() {
    while IFS=' 	' read -r key real _; do
        if [ "$key" = Uid: ]; then [ "$real" = "$(id -u)" ] && return 0 || return 1; fi
    done <"$1/status"
    return 1
}
# called NAME: this user's processes of that name. The kernel keeps 15 characters, and a wrapper of
# nixpkgs starts .NAME-wrapped.
called() {
    plain=$(printf '%.15s' "$1") wrapped=$(printf '%.15s' ".$1-wrapped")
    for directory in "$root"/proc/[0-9]*; do
        name=$(first_line "$directory/comm") || continue
        if [ "$name" = "$plain" ] || [ "$name" = "$wrapped" ]; then
            if belongs "$directory" 2>/dev/null; then say "${directory##*/}"; fi
        fi
    done
}
# session: the process whose environment is that of the running desktop session.
session() {
    for name in plasmashell kwin_x11 kwin_wayland; do
        found=$(called "$name" | head -n 1)
        if [ -n "$found" ]; then say "$found" && return 0; fi
    done
    stop 123 'no desktop session'
}
variables() { # variables PID NAME...: as NUL-separated NAME=VALUE; the others stay on this machine
    file=$root/proc/$1/environ
    shift
    [ -r "$file" ] || stop 122 "$file"
    for variable in "$@"; do grep -az "^$variable=" "$file"; done
    return 0
}
variable() { variables "$1" "$2" | tr -d '\0' | cut -d = -f 2-; }
# newest LINK...: when the newest of these generations was made, in seconds since the epoch.
newest() {
    last=0
    for link in "$@"; do
        made=$(stat -c %Y -- "$link" 2>/dev/null) || continue
        if [ "$made" -gt "$last" ]; then last=$made; fi
    done
    say "$last"
}
# peek FILE: its text, also where only root may read it and sudo asks no password.
peek() {
    if [ -r "$1" ]; then
        cat -- "$1"
    elif [ -z "$root" ] && sudo -n test -r "$1" 2>/dev/null; then
        sudo -n cat -- "$1"
    elif [ -e "$1" ] || [ ! -x "${1%/*}" ]; then
        stop 122 "$1"
    else
        stop 121 "$1"
    fi
}
limits() { # limits DIRECTORY: the kernel's own numbers of a control group
    [ -d "$1" ] || stop 121 "$1"
    for name in memory.high memory.max memory.swap.max cpu.max memory.peak; do
        if text=$(first_line "$1/$name"); then say kernel "$name" "$text"; fi
    done
    while read -r key number; do
        if [ "$key" = oom_kill ]; then say kernel oom_kill "$number"; fi
    done <"$1/memory.events" 2>/dev/null
    return 0
}
work_directory() {
    directory=$(mktemp -d "${TMPDIR:-/tmp}/workspace-check.XXXXXX") || stop 122 "${TMPDIR:-/tmp}"
    trap 'rm -rf -- "$directory"' EXIT
    trap 'exit 129' HUP INT TERM
    cd -- "$directory" || exit 122
}
expect() { # expect NAME WANTED FOUND
    if [ "$2" = "$3" ]; then say ok "$1"; else say wrong "$1" "$3"; fi
}
tool() { # tool NAME: the path of a basic command, the running system's own first
    if [ -x "$root/run/current-system/sw/bin/$1" ]; then
        say "$root/run/current-system/sw/bin/$1"
    else
        command -v "$1"
    fi
}

probe() {
    name=$1
    shift
    case $name in
        file) # file PATH
            if [ -r "$1" ] && [ ! -d "$1" ]; then cat -- "$1"; else peek "$1"; fi
            ;;
        link) # link PATH: where it leads
            [ -L "$1" ] || [ -e "$1" ] || stop 121 "$1"
            readlink -f -- "$1"
            ;;
        program) # program PATH ARGUMENT...: what it prints
            [ -x "$1" ] || stop 120 "${1##*/}"
            "$@"
            ;;
        commands) # the basic commands, on a file of our own
            work_directory
            printf 'one\ntwo\n' >file
            expect ls file "$("$(tool ls)" 2>&1)"
            expect cat 'one two' "$("$(tool cat)" file 2>&1 | tr '\n' ' ' | sed 's/ $//')"
            expect grep 2:two "$("$(tool grep)" -n two file 2>&1)"
            git=$(tool git) || stop 120 git
            export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
            expect git 1 "$("$git" init -q --template= tree 2>&1 && cd tree &&
                "$git" -c user.name=check -c user.email=check@localhost commit -q --allow-empty \
                    -m check 2>&1 && "$git" rev-list --count HEAD 2>&1)"
            ;;
        build) # one derivation that no machine has built before
            need nix-build
            path=$(nix-build --no-out-link -E 'derivation {
                name = "workspace-check"; system = builtins.currentSystem; builder = "/bin/sh";
                args = [ "-c" "echo built > $out" ]; now = builtins.currentTime; }') || exit 1
            say path "$path"
            say text "$(cat -- "$path")"
            nix-store --delete "$path" >/dev/null 2>&1
            ;;
        mold) # link a program with it, run it, and ask the program who linked it
            need mold
            compiler=$(command -v gcc || command -v cc) || stop 120 gcc
            need readelf
            work_directory
            printf 'int main(void) { return 0; }\n' >one.c
            "$compiler" -fuse-ld=mold one.c -o one && ./one || exit 1
            readelf -p .comment one
            ;;
        state) # state user|system: the manager's own verdict, and the failed units
            need systemctl
            if [ "$1" = user ]; then bus; fi
            say state "$(systemctl "--$1" is-system-running)"
            systemctl "--$1" list-units --failed --plain --no-legend --no-pager
            ;;
        booted) # what differs between the booted and the current system
            [ -e "$root/run/current-system" ] || stop 121 "$root/run/current-system"
            [ -e "$root/run/booted-system" ] || stop 121 "$root/run/booted-system"
            say booted "$(readlink -f -- "$root/run/booted-system")"
            say current "$(readlink -f -- "$root/run/current-system")"
            for part in kernel initrd kernel-modules; do
                one=$(readlink -f -- "$root/run/booted-system/$part")
                [ "$one" = "$(readlink -f -- "$root/run/current-system/$part")" ] ||
                    say differs "$part"
            done
            cmp -s "$root/run/booted-system/kernel-params" \
                "$root/run/current-system/kernel-params" || say differs kernel-params
            ;;
        journal) # journal LINK...: crashes since the newest of these generations was made
            need journalctl
            # Without permission journalctl says "no entries" and ends well. The kernel logs at every
            # boot, so whoever sees nothing of it is not allowed to.
            [ -n "$(journalctl -k -b -q -o cat -n 1 --no-pager 2>/dev/null)" ] ||
                stop 122 'the kernel messages of the journal'
            since=$(newest "$@")
            say since "$since"
            journalctl -q -o short-unix --no-pager -n 200 _TRANSPORT=kernel "--since=@$since" \
                -g 'segfault at|trap invalid opcode|general protection|oom-kill:|Out of memory'
            code=$?
            [ "$code" -le 1 ] || exit "$code"
            ;;
        coredumps) # coredumps LINK...
            need coredumpctl
            since=$(newest "$@")
            say since "$since"
            coredumpctl list --json=short --no-pager "--since=@$since" 2>&1
            return 0
            ;;
        nix-report) # nix-report LAYER BASE: what the evaluated derivations say, nothing is built
            need nix
            nixes eval --json "path:$1#report" --override-input base "$2" --no-write-lock-file
            ;;
        closure) # closure PATH NAME...: derivations of what belongs to PATH and is called NAME-...
            need nix-store
            path=$1
            shift
            [ -e "$path" ] || stop 121 "$path"
            nix-store --query --requisites "$path" | xargs nix-store --query --deriver >/dev/null ||
                exit 1
            for pattern in "$@"; do
                nix-store --query --requisites "$path" | xargs nix-store --query --deriver |
                    sort -u | grep -F -e "-$pattern-"
            done
            return 0
            ;;
        nix-config)
            need nix
            nixes config show --json 2>/dev/null || nixes show-config --json
            ;;
        kde) # kde FILE GROUP KEY: as an application would read it, the system's files included
            reader=$(command -v kreadconfig6 || command -v kreadconfig5) || stop 120 kreadconfig6
            "$reader" --file "$1" --group "$2" --key "$3" --default '(no entry)'
            ;;
        kwin) # kwin EFFECT...
            need busctl
            bus
            ask() { busctl --user --json=short "$@"; }
            report=$(ask call org.kde.KWin /KWin org.kde.KWin supportInformation) ||
                stop 123 'KWin is not on the user bus'
            say support "$report"
            for effect in "$@"; do
                say loaded "$effect" "$(ask call org.kde.KWin /Effects org.kde.kwin.Effects \
                    isEffectLoaded s "$effect")"
                say supported "$effect" "$(ask call org.kde.KWin /Effects org.kde.kwin.Effects \
                    isEffectSupported s "$effect")"
            done
            ;;
        baloo) # Baloo's own answers; what Solid complains about goes elsewhere
            reader=$(command -v balooctl6 || command -v balooctl) || stop 120 balooctl6
            for list in contentIndexing hidden includeFolders excludeFolders; do
                say "## $list"
                "$reader" config list "$list" || exit 1
            done
            ;;
        environment) # environment NAME VARIABLE...: of a running program of this user
            if [ "$1" = session ]; then
                pid=$(session) || exit
            else
                pid=$(called "$1" | head -n 1)
                [ -n "$pid" ] || stop 123 "$1 does not run"
            fi
            shift
            say process "$pid"
            variables "$pid" "$@"
            ;;
        fresh) # fresh VARIABLE...: what a program gets that the user's manager starts now
            need systemd-run
            bus
            systemd-run --user --pipe --quiet --collect sh -c 'echo fresh; env -0' </dev/null | {
                read -r word && [ "$word" = fresh ] || exit 1
                say fresh
                filter='^\('
                for variable in "$@"; do filter=$filter$variable'\|'; done
                grep -az "${filter%'\|'}"'\)='
                exit 0
            }
            ;;
        properties) # properties user|system UNIT PROPERTIES
            need systemctl
            if [ "$1" = user ]; then bus; fi
            systemctl "--$1" show --no-pager -p "$3" -- "$2"
            ;;
        slice) # slice UNIT: what its manager says, and the numbers in force in the kernel
            need systemctl
            bus
            systemctl --user show --no-pager -- "$1" -p Id,LoadState,ActiveState,FragmentPath \
                -p ControlGroup,MemoryHigh,MemoryMax,MemorySwapMax,CPUQuotaPerSecUSec \
                -p NeedDaemonReload || exit 1
            loaded=$(systemctl --user show -p LoadState --value -- "$1")
            unit=$(systemctl --user show -p FragmentPath --value -- "$1")
            group=$(systemctl --user show -p ControlGroup --value -- "$1")
            if [ "$loaded" != loaded ] || [ -z "$unit" ]; then return 0; fi
            if [ -n "$group" ]; then
                limits "/sys/fs/cgroup$group"
            else
                # Nothing runs in it: a command of our own, gone at once, makes the kernel show it.
                need systemd-run
                systemd-run --user --scope --quiet --collect --slice="$1" \
                    sh -c "$self" workspace-check "$self" "$root" "$cap" within "$1"
            fi
            ;;
        within) # within UNIT: the numbers of the control group UNIT that this process is in
            group=$(sed -n 's/^0:://p' /proc/self/cgroup)
            case $group in */"$1"/*) limits "/sys/fs/cgroup${group%%/"$1"/*}/$1" ;; *) exit 1 ;; esac
            ;;
        group) # group PATH: numbers of a control group of the system
            limits "$root/sys/fs/cgroup/$1"
            ;;
        processes) # processes NAME...: this user's processes of these programs: pid, control group
            for name in "$@"; do
                for file in $(grep -azl -e "^[^ ]*/\.\?$name\(-wrapped\)\?\( \|\$\)" \
                    -e "^/nix/store/[^/ ]*-$name-[^ ]*\.asar" -- \
                    "$root"/proc/[0-9]*/cmdline 2>/dev/null); do
                    directory=${file%/cmdline}
                    belongs "$directory" 2>/dev/null || continue
                    tr '\0' '\n' <"$file" 2>/dev/null | head -n 2 |
                        grep -q -e "^[^ ]*/\.\?$name\(-wrapped\)\?\( \|\$\)" \
                            -e "^/nix/store/[^/ ]*-$name-[^ ]*\.asar" || continue
                    say process "${directory##*/}" "$(sed -n 's/^0:://p' "$directory/cgroup")"
                    say score "${directory##*/}" "$(first_line "$directory/oom_score_adj")"
                done
            done
            return 0
            ;;
        gpu-processes) # Chromium's GPU processes of this user, and what they were started with
            for file in $(grep -azl -e --type=gpu-process -- "$root"/proc/[0-9]*/cmdline 2>/dev/null)
            do
                directory=${file%/cmdline}
                belongs "$directory" 2>/dev/null || continue
                say process "${directory##*/}" "$(sed -n 's/^0:://p' "$directory/cgroup")"
                tr '\0 ' '\n\n' <"$file" | grep -a -e '^--type=gpu-process$' -e '^--use-gl=' \
                    -e '^--use-angle=' -e '^--enable-features=' -e swiftshader | sed 's/^/flag /'
                if grep -aq libnvidia "$directory/maps" 2>/dev/null; then say driver nvidia; fi
            done
            return 0
            ;;
        nvidia)
            need nvidia-smi
            nvidia-smi --format=csv \
                --query-gpu=name,compute_cap,driver_version,memory.total,memory.used,utilization.gpu
            ;;
        pmon)
            need nvidia-smi
            nvidia-smi pmon -c 1 -s u
            ;;
        vainfo) # vainfo VENDOR (as 0x10de)
            node=''
            for file in "$root"/sys/class/drm/renderD*/device/vendor; do
                if [ "$(first_line "$file")" = "$1" ]; then
                    node=${file%/device/vendor} node=/dev/dri/${node##*/}
                    break
                fi
            done
            [ -n "$node" ] || stop 121 "a render node of vendor $1"
            need vainfo
            say node "$node"
            LIBVA_DRIVER_NAME=nvidia NVD_BACKEND=direct vainfo --display drm --device "$node" 2>&1
            ;;
        vdpauinfo)
            need vdpauinfo
            pid=$(session) || exit
            display=$(variable "$pid" DISPLAY) authority=$(variable "$pid" XAUTHORITY)
            [ -n "$display" ] || stop 123 'the session has no X display'
            DISPLAY=$display XAUTHORITY=$authority vdpauinfo 2>&1
            ;;
        firefox) # firefox NODE: Firefox's own test of the decoder, without opening a window
            need firefox
            program=$(readlink -f -- "$(command -v firefox)")
            unwrapped=$(grep -ao '/nix/store/[0-9a-z]*-firefox-unwrapped-[^/"]*' "$program" |
                head -n 1)
            for directory in "${program%/*}" "${program%/*/*}"/lib/firefox* \
                "${unwrapped:-/nowhere}"/lib/firefox; do
                if [ -x "$directory/gfxtest" ] && [ ! -x "$directory/vaapitest" ]; then
                    "$directory/gfxtest" vaapi -d "$1" && return
                elif [ -x "$directory/vaapitest" ]; then
                    "$directory/vaapitest" --drm "$1" && return
                fi
            done
            stop 120 "Firefox's vaapitest or gfxtest"
            ;;
        playback) # playback NODE: four seconds of 1080p, decoded on the GPU at their own speed
            need ffmpeg
            work_directory
            ffmpeg -v error -nostdin -f lavfi -i testsrc2=size=1920x1080:rate=30:duration=4 \
                -c:v libx264 -preset ultrafast -pix_fmt yuv420p clip.mkv || exit 1
            ffmpeg -v info -nostdin -benchmark -re -hwaccel vaapi -hwaccel_device "$1" \
                -hwaccel_output_format vaapi -i clip.mkv -f null - 2>&1 | grep -a '^bench: utime'
            ;;
        disks) # I/O schedulers of the real disks
            for directory in "$root"/sys/block/*; do
                case ${directory##*/} in loop* | ram* | zram* | dm-* | md* | sr* | fd* | nbd*) continue ;; esac
                [ -r "$directory/queue/scheduler" ] || continue
                say disk "${directory##*/}" "$(first_line "$directory/queue/rotational")" \
                    "$(first_line "$directory/queue/scheduler")"
            done
            ;;
        boot) # the boot menu: which loader, its timeout, the generations it offers
            if [ -e "$root/boot/grub/grub.cfg" ] || [ ! -x "$root/boot" ] &&
                [ -z "$root" ] && sudo -n test -e /boot/grub/grub.cfg 2>/dev/null; then
                say loader grub
                peek "$root/boot/grub/grub.cfg"
            elif [ -e "$root/boot/loader/loader.conf" ] || [ ! -x "$root/boot" ] &&
                [ -z "$root" ] && sudo -n test -e /boot/loader/loader.conf 2>/dev/null; then
                say loader systemd-boot
                peek "$root/boot/loader/loader.conf" | sed 's/^/conf /'
                for file in "$root"/boot/loader/entries/*.conf; do
                    if [ -e "$file" ]; then say entry "${file##*/}"; fi
                done
                if [ ! -r "$root/boot/loader/entries" ] && [ -z "$root" ]; then
                    sudo -n ls /boot/loader/entries 2>/dev/null | sed 's/^/entry /'
                fi
            elif [ -d "$root/boot" ] && [ ! -x "$root/boot" ]; then
                stop 122 "$root/boot"
            else
                stop 121 "$root/boot: neither GRUB nor systemd-boot"
            fi
            ;;
        removable)
            need lsblk
            lsblk -J -o NAME,TRAN,FSTYPE,LABEL,SIZE
            ;;
        room) # room PATH...: kilobytes free where each path is
            for path in "$@"; do
                if [ -e "$path" ]; then df -Pk -- "$path" | tail -n 1; fi
            done
            ;;
        alias) # alias NAME: as the user's own interactive shell knows it
            shell=$(getent passwd "$(id -un)" | cut -d : -f 7)
            case ${shell##*/} in
                bash | zsh) "$shell" -ic 'alias -- "$1"' "${shell##*/}" "$1" ;;
                fish) fish -ic 'functions -- $argv[1]' "$1" ;;
                *) stop 120 "a bash, zsh or fish as login shell (it is ${shell:-unknown})" ;;
            esac
            ;;
        exist) # exist PATH...
            for path in "$@"; do
                if [ -e "$path" ]; then say there "$path"; else say gone "$path"; fi
            done
            ;;
        *) stop 64 "no probe is called $name" ;;
    esac
}

case ${1:-} in
    framed) # framed PROBE ARGUMENT...: what it printed, its status, its errors, as one line
        shift
        exec 3>&1 </dev/null
        printf '='
        errors=$({ { (probe "$@") 3>&-; printf '\n%s' "$?" >&2; } | head -c "$cap" |
            base64 -w 0 >&3; } 2>&1 | tail -c 2000)
        printf ' %s =%s\n' "${errors##*
}" "$(printf %s "${errors%
*}" | base64 -w 0)"
        exit 0
        ;;
    within)
        probe "$@"
        exit
        ;;
esac

say workspace-check 1
while [ "$#" -ge 4 ]; do
    id=$1 limit=$2 count=$3
    shift 3
    words=''
    number=0
    while [ "$number" -lt "$count" ]; do
        number=$((number + 1))
        words="$words \"\${$number}\""
    done
    # Only our own "${1}" "${2}" ... are evaluated: the words themselves stay data.
    if answer=$(eval "timeout -k 1 $limit sh -c \"\$self\" workspace-check \"\$self\" \"\$root\" \"\$cap\" framed $words"); then
        say answer "$id" "$answer"
    else
        say answer "$id" timeout
    fi
    shift "$count"
done
say end
