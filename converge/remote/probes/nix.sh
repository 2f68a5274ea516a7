# one derivation that no machine has built before
probe_build() {
    need nix-build
    path=$(nix-build --no-out-link -E 'derivation {
        name = "workspace-check"; system = builtins.currentSystem; builder = "/bin/sh";
        args = [ "-c" "echo built > $out" ]; now = builtins.currentTime; }') || exit 1
    say path "$path"
    say text "$(cat -- "$path")"
    nix-store --delete "$path" >/dev/null 2>&1
}
# nix-report LAYER BASE: what the evaluated derivations say, nothing is built
probe_nix_report() {
    need nix
    nixes eval --json "path:$1#report" --override-input base "$2" --no-write-lock-file
}
# closure PATH NAME...: derivations of what belongs to PATH and is called NAME-...
probe_closure() {
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
}
probe_nix_config() {
    need nix
    nixes config show --json 2>/dev/null || nixes show-config --json
}
