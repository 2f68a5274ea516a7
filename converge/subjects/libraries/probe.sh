# Nix: what a layer evaluates to, what a generation holds, whether a build works at all.
# shellcheck shell=sh disable=SC2154 # root, cap: common.sh

probe_build() { # one derivation that no machine has built before
    need nix-build
    # shellcheck disable=SC2016 # the builder fills in its own $out
    path=$(nix-build --no-out-link --option substitute false -E 'derivation {
        name = "workspace-check"; system = builtins.currentSystem; builder = "/bin/sh";
        args = [ "-c" "echo built > $out" ]; now = builtins.currentTime; }') || return
    say path "$path"
    say text "$(cat -- "$path")"
    nix-store --delete "$path" >/dev/null 2>&1
    return 0
}
probe_nix_report() { # nix-report LAYER BASE IMPURE ATTRIBUTE: what the evaluated derivations say
    need nix
    leave_git_alone
    guard=''
    trap 'rm -rf -- "$guard"' EXIT
    trap 'exit 129' HUP INT TERM
    run_nothing_of_git
    flakes eval --json "path:$1#${4:-report}" --override-input base "$2" --no-write-lock-file ${3:+--impure}
}
probe_closure() { # closure PATH: the hash parts of the derivations of all that PATH needs
    need nix-store
    [ -e "$1" ] || stop 121 "$1"
    paths=$(nix-store --query --requisites "$(readlink -f -- "$1")") || return
    derivers=$(printf '%s\n' "$paths" | xargs nix-store --query --deriver) || return
    printf '%s\n' "$derivers" | sed -n 's|^/.*/\([0-9a-z]\{32\}\)-.*\.drv$|\1|p' | sort -u
}
probe_nix_config() {
    need nix
    # Never the rest of it: access-tokens and netrc-file are settings like these.
    # Of the daemon: a user's own nix.conf is for what that user builds.
    config=$(
        export NIX_CONFIG='' NIX_USER_CONF_FILES=''
        flakes config show 2>/dev/null || flakes show-config
    ) || return
    printf '%s\n' "$config" | sed -n -e '/^max-jobs = /p' -e '/^cores = /p' \
        -e '/^system-features = /p'
}
