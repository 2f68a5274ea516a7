# the basic commands, on a file of our own
probe_commands() {
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
}
# state user|system: the manager's own verdict, and the failed units
probe_state() {
    need systemctl
    if [ "$1" = user ]; then bus; fi
    say state "$(systemctl "--$1" is-system-running)"
    systemctl "--$1" list-units --failed --plain --no-legend --no-pager
}
# properties user|system UNIT PROPERTIES
probe_properties() {
    need systemctl
    if [ "$1" = user ]; then bus; fi
    systemctl "--$1" show --no-pager -p "$3" -- "$2"
}
# what differs between the booted and the current system
probe_booted() {
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
}
# journal LINK...: crashes since the newest of these generations was made
probe_journal() {
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
}
# coredumps LINK...
probe_coredumps() {
    need coredumpctl
    since=$(newest "$@")
    say since "$since"
    coredumpctl list --json=short --no-pager "--since=@$since" 2>&1
    return 0
}
# group PATH: numbers of a control group of the system
probe_group() {
    limits "$root/sys/fs/cgroup/$1"
}
# I/O schedulers of the real disks
probe_disks() {
    for directory in "$root"/sys/block/*; do
        case ${directory##*/} in loop* | ram* | zram* | dm-* | md* | sr* | fd* | nbd*) continue ;; esac
        [ -r "$directory/queue/scheduler" ] || continue
        say disk "${directory##*/}" "$(first_line "$directory/queue/rotational")" \
            "$(first_line "$directory/queue/scheduler")"
    done
}
# the boot menu: which loader, its timeout, the generations it offers
probe_boot() {
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
}
probe_removable() {
    need lsblk
    lsblk -J -o NAME,TRAN,FSTYPE,LABEL,SIZE
}
# room PATH...: kilobytes free where each path is
probe_room() {
    for path in "$@"; do
        if [ -e "$path" ]; then df -Pk -- "$path" | tail -n 1; fi
    done
}
# alias NAME: as the user's own interactive shell knows it
probe_alias() {
    shell=$(getent passwd "$(id -un)" | cut -d : -f 7)
    case ${shell##*/} in
        bash | zsh) "$shell" -ic 'alias -- "$1"' "${shell##*/}" "$1" ;;
        fish) fish -ic 'functions -- $argv[1]' "$1" ;;
        *) stop 120 "a bash, zsh or fish as login shell (it is ${shell:-unknown})" ;;
    esac
}
# link a program with it, run it, and ask the program who linked it
probe_mold() {
    need mold
    compiler=$(command -v gcc || command -v cc) || stop 120 gcc
    need readelf
    work_directory
    printf 'int main(void) { return 0; }\n' >one.c
    "$compiler" -fuse-ld=mold one.c -o one && ./one || exit 1
    readelf -p .comment one
}
