# What systemd-oomd watches, and what memory the session keeps.
# shellcheck shell=sh disable=SC2154 # root, cap: common.sh

probe_oomd() {
    need oomctl
    oomctl dump
}
# promise GROUP...: memory.min of each control group, and where KWin is
probe_promise() {
    for group in "$@"; do
        place=$root/sys/fs/cgroup/$group
        [ -d "$place" ] || stop 121 "$place"
        minimum=$(first_line "$place/memory.min") || stop 121 "$place/memory.min"
        say minimum "$group" "$minimum"
    done
    for program in kwin_x11 kwin_wayland; do
        for pid in $(called "$program"); do
            sed -n 's/^0:://p' "$root/proc/$pid/cgroup" 2>/dev/null | sed 's/^/desktop /'
        done
    done
}
