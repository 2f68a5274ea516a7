#!/bin/sh
# Make the first generation of the system and of the home, from the user's own flakes.
#
# usage: generations.sh USER HOST    as root, with this machine's disk as /
set -eu
user=$1 host=$2 home=/home/$1
export HOME=/root NIX_REMOTE=local
build() { # build FLAKE ATTRIBUTE: the path of what was built
    nix build --no-write-lock-file --no-link --print-out-paths "$1#$2"
}
system=$(build path:/etc/nixos "nixosConfigurations.\"$host\".config.system.build.toplevel")
nix-env --profile /nix/var/nix/profiles/system --set "$system"
home_path=$(build "path:$home/.config/home-manager" "homeConfigurations.\"$user@$host\".activationPackage")
profiles=$home/.local/state/nix/profiles
mkdir -p "$profiles"
ln -s "$home_path" "$profiles/home-manager-1-link"
ln -s home-manager-1-link "$profiles/home-manager"
nix-store --add-root "/nix/var/nix/gcroots/home" --realise "$home_path" >/dev/null
