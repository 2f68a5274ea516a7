# Phase 2: language runtimes under new names. An overlay on the existing names would rebuild whatever is
# built with them (Python alone: 403 of 952 packages in a nixpkgs-like tree).
#
# Enters: `lib`, the profile. Leaves:
#   wanted    runtime -> the attributes the setting names, best first
#   chosen    pkgs -> runtime -> the first of them that this nixpkgs has, or null
#   overlay   final: prev: python313Optimized, nodejs-slim_24Optimized, nodejs_24Optimized, goOptimized
{ lib, profile }:
let
  inherit (profile) settings;
  inherit (profile.hardware) build;
  optimize = import ./optimize.nix { inherit lib; };

  # An attribute can be there and still only hold the message that it was removed.
  usable = pkgs: name: pkgs ? ${name} && (builtins.tryEval (pkgs.${name}.name or "")).success;
  flags = [
    "-march=${build.compiler.march}"
    "-mtune=${build.compiler.mtune}"
    "-O${toString build.compiler.optimizationLevel}"
  ];
  inForce = id: settings ? ${id};
in
rec {
  wanted = lib.filterAttrs (_: names: names != [ ])
    (lib.genAttrs [ "python" "node" "go" ] (runtime: settings."runtimes.${runtime}".attributes or [ ]));
  chosen = pkgs: lib.mapAttrs (_: lib.findFirst (usable pkgs) null) wanted;

  # What the runtime is installed as, and what carries its flags.
  installed = { python = "python313Optimized"; node = "nodejs_24Optimized"; go = "goOptimized"; };

  overlay = final: prev:
    let base = lib.mapAttrs (_: name: prev.${name}) (chosen prev); in
    lib.optionalAttrs (wanted ? python)
      {
        # Profile-guided optimization is one argument; link-time optimization is on already. With it the
        # build is not reproducible, which the argument next to it has to admit. `self` and `pythonAttr`
        # keep `.withPackages` on this interpreter.
        python313Optimized = base.python.override {
          enableOptimizations = true;
          reproducibleBuild = false;
          self = final.python313Optimized;
          pythonAttr = "python313Optimized";
        };
      }
    // lib.optionalAttrs (wanted ? node) {
      # Since 26.05 `nodejs_24` only joins links around `nodejs-slim_24`, where the compiled code is.
      nodejs-slim_24Optimized = optimize.mkOptimized flags prev.nodejs-slim_24;
      nodejs_24Optimized =
        if (base.node.override.__functionArgs or { }) ? nodejs-slim
        then base.node.override { nodejs-slim = final.nodejs-slim_24Optimized; }
        else optimize.mkOptimized flags base.node;
    }
    // lib.optionalAttrs (wanted ? go) {
      # A toolchain built at this level makes programs of this level unless it is told otherwise.
      goOptimized = optimize.mkOptimizedGo build.goamd64 base.go;
    }
    // lib.optionalAttrs (inForce "runtimes.rust.programs") {
      optimizedRust = lib.genAttrs
        (lib.filter (name: prev ? ${name}) settings."runtimes.rust.programs".packages)
        (name: optimize.mkOptimizedRust build.rustTargetCpu prev.${name});
    };

  # For checks: what the evaluated derivations say, without building them.
  report = pkgs: lib.mapAttrs
    (runtime: attribute:
      if attribute == null then { attribute = null; } else
      let
        package = pkgs.${installed.${runtime}};
        compiled =
          if runtime == "node" && (pkgs.${attribute}.override.__functionArgs or { }) ? nodejs-slim
          then pkgs.nodejs-slim_24Optimized
          else package;
      in
      {
        inherit attribute;
        version = package.version;
        drvPath = builtins.unsafeDiscardStringContext package.drvPath;
        flags = toString (compiled.NIX_CFLAGS_COMPILE or "");
        goamd64 = package.GOAMD64 or null;
        profileGuided = lib.elem "--enable-optimizations" (package.configureFlags or [ ]);
      })
    (chosen pkgs);
}
