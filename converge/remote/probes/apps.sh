# slice UNIT: what its manager says, and the numbers in force in the kernel
probe_slice() {
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
}
# within UNIT: the numbers of the control group UNIT that this process is in
probe_within() {
    group=$(sed -n 's/^0:://p' /proc/self/cgroup)
    case $group in */"$1"/*) limits "/sys/fs/cgroup${group%%/"$1"/*}/$1" ;; *) exit 1 ;; esac
}
# processes NAME...: this user's processes of these programs: pid, control group
probe_processes() {
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
}
# Chromium's GPU processes of this user, and what they were started with
probe_gpu_processes() {
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
}
