# The slice of the build daemon, and which cache it asks.
# shellcheck shell=sh disable=SC2154 # root, cap: common.sh

# build-slice SLICE: how the kernel schedules it, and the control group of each build daemon
probe_build_slice() {
    idle=$root/sys/fs/cgroup/$1/cpu.idle
    say slice "$(first_line "$idle" || say -)"
    found=''
    for directory in "$root"/proc/[0-9]*; do
        case $(first_line "$directory/comm") in nix-daemon) ;; *) continue ;; esac
        say daemon "$(sed -n 's/^0:://p' "$directory/cgroup" 2>/dev/null)"
        found=1
    done
    [ -n "$found" ] || say 'no daemon'
}

# nix-cache URL KEY: whether Nix asks the cache and trusts the key. The other caches are not told: an
# address can hold a password.
probe_nix_cache() {
    need nix
    config=$(flakes config show 2>/dev/null || flakes show-config) || return
    for pair in "asked substituters $1" "trusted trusted-public-keys $2"; do
        word=${pair%% *} rest=${pair#* }
        line=$(printf '%s\n' "$config" | sed -n "s/^${rest%% *} = //p")
        [ -n "$line" ] || stop 1 "Nix says nothing of ${rest%% *}"
        case " $line " in
            *" ${rest#* } "* | *" ${rest#* }/ "*) say "$word" yes ;;
            *) say "$word" no ;;
        esac
    done
}
