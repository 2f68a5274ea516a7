# Applications: the slices that hold their limits, their processes, their GPU processes.
# shellcheck shell=sh disable=SC2154 # root, cap: common.sh

probe_slice() { # slice UNIT: what its manager says, and the numbers in force in the kernel
    need systemctl
    bus
    systemctl --user show --no-pager -p Id,LoadState,ActiveState,FragmentPath,ControlGroup \
        -p NeedDaemonReload -- "$1" || return
    loaded=$(systemctl --user show -p LoadState --value -- "$1")
    unit=$(systemctl --user show -p FragmentPath --value -- "$1")
    group=$(systemctl --user show -p ControlGroup --value -- "$1")
    if [ "$loaded" != loaded ] || [ -z "$unit" ]; then return 0; fi
    if [ -n "$group" ]; then
        limits "/sys/fs/cgroup$group"
    else
        # Nothing runs in it. A command of our own, gone at once, makes the kernel show its numbers.
        need systemd-run
        systemd-run --user --scope --quiet --collect --slice="$1" sh -c "$(within)" sh "$1"
    fi
}
within() { # the program that tells the limits of the slice that it runs in
    cat <<'EOF'
group=$(sed -n 's/^0:://p' /proc/self/cgroup)
case $group in */"$1"/*) ;; *) exit 1 ;; esac
cd "/sys/fs/cgroup${group%%/"$1"/*}/$1" || exit 1
for name in memory.high memory.max memory.swap.max cpu.max memory.peak; do
    if { read -r text <"$name"; } 2>/dev/null; then printf 'kernel %s %s\n' "$name" "$text"; fi
done
EOF
}
# matching PATTERN...: this user's processes one of whose arguments matches. The file stays open only
# for grep: a process may be gone at any moment.
matching() {
    grep -azl "$@" -- "$root"/proc/[0-9]*/cmdline 2>/dev/null | while IFS= read -r file; do
        directory=${file%/cmdline}
        if belongs "$directory" 2>/dev/null; then say "$directory"; fi
    done
}
started() { # started DIRECTORY: when a process started, in seconds since the epoch
    text=$(cat "$1/stat" 2>/dev/null)
    ticks=$(printf '%s' "${text##*) }" | cut -d ' ' -f 20) # proc_pid_stat(5), field 22
    uptime=$(cut -d . -f 1 "$root/proc/uptime" 2>/dev/null)
    say "$(($(date +%s) - ${uptime:-0} + ${ticks:-0} / 100))" # CLK_TCK is 100 on Linux
}
tell() { # tell DIRECTORY: a process, when it started, the control group that it is in
    say process "${1##*/}" "$(started "$1")" "$(sed -n 's/^0:://p' "$1/cgroup" 2>/dev/null)"
}
probe_processes() { # processes COUNT NAME... LINK...: of COUNT programs; LINK as for newest
    count=$1 names=''
    shift
    while [ "$count" -gt 0 ]; do
        names="$names $1" count=$((count - 1))
        shift
    done
    say since "$(newest "$@")"
    for name in $names; do
        # The program itself, or an interpreter that was given the application as a store path.
        set -- -e "^\([^ ]*/\)\?\.\?$name\(-wrapped\)\?\( \|\$\)" -e "^/nix/store/[^/ ]*-$name-[^ ]*\.asar"
        matching "$@" | while IFS= read -r directory; do
            tr '\0' '\n' <"$directory/cmdline" 2>/dev/null | head -n 2 | grep -aq "$@" || continue
            tell "$directory"
            say score "${directory##*/}" "$(first_line "$directory/oom_score_adj")"
        done
    done
    return 0
}
probe_gpu_processes() { # Chromium's GPU processes, and what they were started with
    say looked
    # A whole argument, or one of those that Chromium joins to one line: a shell that was given the text
    # of this program has the words too.
    matching -e '^\([^[:cntrl:]]* \)\?--type=gpu-process\( \|$\)' | while IFS= read -r directory; do
        tell "$directory"
        # shellcheck disable=SC2020 # Chromium joins the arguments of its children with blanks
        tr '\0 ' '\n\n' <"$directory/cmdline" | grep -a -e '^--type=gpu-process$' \
            -e '^--use-gl=' -e '^--use-angle=' -e '^--enable-features=' -e swiftshader |
            sed 's/^/flag /'
        if grep -aq libnvidia "$directory/maps" 2>/dev/null; then say driver nvidia; fi
    done
    return 0
}
