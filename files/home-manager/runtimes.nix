# Phase 2, the user's own builds with language runtimes. Settings: runtimes.*; packages.nix adopts the
# runtimes themselves.
{ config, lib, options, pkgs, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (workspaceTuning.hardware) build;
  runtimes = import ./lib/runtimes.nix { inherit lib; profile = workspaceTuning; };
  inForce = id: settings ? ${id};
  inherit (import ./lib/ours.nix { inherit lib; }) ours;

  rustFlags = [ "-C" "target-cpu=${build.rustTargetCpu}" ];
  ownCargo = config.programs.cargo.enable or false;
  ownGo = (config.programs.go.enable or false) && options.programs.go ? env;
in
{
  config = lib.mkMerge [
    {
      # Default: no overlay. New attributes only; nothing that exists is rebuilt.
      nixpkgs.overlays = lib.mkIf (!config.workspaceTuning.systemPackages) [ runtimes.overlay ];
    }

    (lib.mkIf (inForce "runtimes.node.jemalloc") {
      # Default: absent. A command of its own: preloading into `node` would reach every program that node
      # starts (npm scripts, compilers of native modules).
      home.packages = [
        (pkgs.writeShellScriptBin "node-jemalloc" ''
          LD_PRELOAD=${lib.getLib pkgs.jemalloc}/lib/libjemalloc.so exec node "$@"
        '')
      ];
    })

    # Default: rustc compiles for x86-64. Not by ~/.cargo/config.toml, which belongs to the user: cargo
    # joins this variable with the flags of that file and with those of a project's own, where RUSTFLAGS
    # would switch both off. A user who has that file made by home-manager gets the key in it.
    (lib.mkIf (inForce "runtimes.rust" && ownCargo) (lib.optionalAttrs (options.programs ? cargo) (ours "runtimes.rust" {
      programs.cargo.settings.build.rustflags = rustFlags;
    })))
    (lib.mkIf (inForce "runtimes.rust" && !ownCargo) (ours "runtimes.rust" {
      home.sessionVariables.CARGO_BUILD_RUSTFLAGS = toString rustFlags;
    }))

    # Default: GOAMD64=v1. Not by ~/.config/go/env, which the user's `go env -w` writes. A level in that
    # file, or in a variable of the user's, stays: our variable would win over the file.
    (lib.mkIf (inForce "runtimes.go.builds" && ownGo) (lib.optionalAttrs (options.programs ? go) (ours "runtimes.go.builds" {
      programs.go.env.GOAMD64 = build.goamd64;
    })))
    (lib.mkIf (inForce "runtimes.go.builds" && !ownGo) {
      home.sessionVariablesExtra = ''
        if [ -z "''${GOAMD64:-}" ] &&
          ! grep -qs '^GOAMD64=' "''${GOENV:-''${XDG_CONFIG_HOME:-$HOME/.config}/go/env}"; then
          export GOAMD64="${build.goamd64}"
        fi
      '';
    })
  ];
}
