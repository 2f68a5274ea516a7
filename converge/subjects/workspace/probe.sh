# The running system: its commands, units, journal and disks.
# shellcheck shell=sh disable=SC2154 # root, cap: common.sh

# tool NAME: the path of a basic command, the running system's own first. A sandbox has none.
tool() {
    if [ -z "$root" ] && [ -x "/run/current-system/sw/bin/$1" ]; then
        say "/run/current-system/sw/bin/$1"
    else
        command -v "$1" || say "$1"
    fi
}
expect() { # expect NAME WANTED FOUND
    if [ "$2" = "$3" ]; then say ok "$1"; else say wrong "$1" "$3"; fi
}
probe_commands() { # the basic commands, each on files of our own
    ls=$(tool ls) cat=$(tool cat) grep=$(tool grep) git=$(tool git)
    command -v "$git" >/dev/null || stop 120 git
    work_directory
    printf 'one\ntwo\n' >file
    expect ls file "$("$ls" 2>&1)"
    expect cat 'one
two' "$("$cat" file 2>&1)"
    expect grep 2:two "$("$grep" -n two file 2>&1)"
    export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
    expect git 1 "$(
        {
            "$git" init -q --template= tree && cd tree &&
                "$git" -c user.name=check -c user.email=check@localhost \
                    commit -q --allow-empty -m check && "$git" rev-list --count HEAD
        } 2>&1
    )"
}
probe_state() { # state user|system: the manager's own verdict, and the failed units
    need systemctl
    if [ "$1" = user ]; then bus; fi
    say state "$(systemctl "--$1" is-system-running)"
    systemctl "--$1" list-units --failed --plain --no-legend --no-pager
}
probe_properties() { # properties user|system UNIT PROPERTIES
    need systemctl
    if [ "$1" = user ]; then bus; fi
    systemctl "--$1" show --no-pager -p "$3" -- "$2"
}
probe_group() { # group PATH: the kernel's numbers of one of the system's control groups
    limits "$root/sys/fs/cgroup/$1"
}
probe_booted() { # what differs between the booted and the current system
    booted=$root/run/booted-system current=$root/run/current-system
    [ -e "$current" ] || stop 121 "$current"
    [ -e "$booted" ] || stop 121 "$booted"
    say booted "$(readlink -f -- "$booted")"
    say current "$(readlink -f -- "$current")"
    for part in kernel initrd kernel-modules; do
        [ "$(readlink -f -- "$booted/$part")" = "$(readlink -f -- "$current/$part")" ] ||
            say differs "$part"
    done
    cmp -s "$booted/kernel-params" "$current/kernel-params" || say differs kernel-params
}
# The kernel logs at every boot, so whoever sees no line of it is not permitted to: journalctl then
# says "no entries" and ends well.
sees_journal() { [ -n "$(journalctl -k -b -q -o cat -n 1 --no-pager 2>/dev/null)" ]; }
probe_journal() { # journal LINK...: what crashed since the newest of these generations was made
    need journalctl
    sees_journal || stop 122 'the kernel messages of the journal'
    since=$(newest "$@")
    say since "$since"
    # A pattern in small letters alone also finds capital ones.
    journalctl -q -o short-unix --no-pager -n 200 _TRANSPORT=kernel --since="@$since" \
        -g 'segfault at|trap invalid opcode|general protection|oom-kill:|out of memory'
    code=$?
    if [ "$code" -gt 1 ]; then return "$code"; fi # 1: no such line
}
probe_coredumps() { # coredumps LINK...
    need coredumpctl
    sees_journal || stop 122 'core dumps of other users'
    since=$(newest "$@")
    say since "$since"
    coredumpctl list --json=short --no-pager --since="@$since" 2>&1
    return 0 # 1: none
}
probe_disks() { # the I/O schedulers of real disks
    for directory in "$root"/sys/block/*; do
        case ${directory##*/} in loop* | ram* | zram* | dm-* | md* | sr* | fd* | nbd*) continue ;; esac
        [ -r "$directory/queue/scheduler" ] || continue
        rotational=$(first_line "$directory/queue/rotational")
        case $rotational$(cd -P -- "$directory" && pwd) in 1*/usb[0-9]*) continue ;; esac # a stick says so
        say disk "${directory##*/}" "$rotational" \
            "$(first_line "$directory/queue/scheduler")"
    done
}
probe_removable() {
    need lsblk
    lsblk -J -o NAME,TRAN,FSTYPE,LABEL,SIZE
}
probe_room() { # room PATH...: kilobytes that are free where each path lies
    for path in "$@"; do
        if [ -e "$path" ]; then df -Pk -- "$path" | tail -n 1; fi
    done
}
# alias NAME: as the user's own interactive shell knows it; first "own FILE" where home-manager does not
# manage the file that the shell starts with
probe_alias() {
    shell=$(getent passwd "$(id -un)" | cut -d : -f 7)
    case ${shell##*/} in
        bash) unmanaged "$HOME/.bashrc" ;;
        zsh) unmanaged "${ZDOTDIR:-$HOME}/.zshrc" "$HOME/.zshenv" ;;
        fish) unmanaged "${XDG_CONFIG_HOME:-$HOME/.config}/fish/config.fish" ;;
    esac
    # shellcheck disable=SC2016 # the other shell fills in its own arguments
    case ${shell##*/} in
        bash | zsh) "$shell" -ic 'alias -- "$1"' "${shell##*/}" "$1" ;;
        fish) "$shell" -ic 'functions -- $argv[1]' "$1" ;;
        *) stop 120 "aliases are for bash, zsh and fish; the login shell is ${shell:-not known}" ;;
    esac
}
unmanaged() { # unmanaged FILE...: print "own" and the first, unless home-manager made one of them
    for file in "$@"; do
        if [ -L "$file" ]; then
            case $(readlink -- "$file") in *home-manager*files/*) return ;; esac
        fi
    done
    say own "$1"
}
probe_mold() { # link a program with it, run it, and ask the program who linked it
    need mold
    need readelf
    compiler=$(command -v gcc || command -v cc) || stop 120 gcc
    work_directory
    printf 'int main(void) { return 0; }\n' >one.c
    "$compiler" -fuse-ld=mold one.c -o one && ./one && readelf -p .comment one
}
