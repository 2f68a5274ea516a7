# Phase 1, system libraries. Settings: libraries.group.system.*, libraries.{graft,march,overlay}.system.
{ config, lib, options, pkgs, workspaceTuning, ... }:
let
  libraries = import ./lib/libraries.nix { inherit lib; profile = workspaceTuning; layer = "system"; };
  exceptions = import ./lib/exceptions.nix;
  inherit (workspaceTuning.hardware.build) compiler;
  inherit (libraries) strategy;
  # With nixpkgs' module readOnlyPkgs nobody adds an overlay: ./lib/layer.nix hands over a set that has it.
  closed = options.nixpkgs.hostPlatform.readOnly or false;
  handed = closed || options.nixpkgs.pkgs.isDefined || config._module.specialArgs ? pkgs;
  absent = lib.filter (name: !(pkgs ? ${name})) (libraries.copies ++ libraries.grafted);
in
{
  # Default: the user's packages and nixpkgs' own. Those whose commands are worth it get the flags in place.
  options.environment.systemPackages = lib.mkOption { apply = map (libraries.adopt pkgs); };

  config = lib.mkMerge [
    {
      # Default: no overlay. `pkgs.optimized.<name>` are copies under new names; under the strategy
      # `overlay` the attributes themselves change and everything above them is rebuilt.
      nixpkgs.overlays = lib.mkIf (!closed) [ libraries.overlay ];

      assertions = [
        {
          assertion = lib.length libraries.heavy <= 1;
          message = "workspace-tuning: the library strategies ${toString libraries.heavy} exclude each other: accept one of them.";
        }
        {
          assertion = !lib.any (name: exceptions.overlayOnly ? ${name}) libraries.grafted;
          message = "workspace-tuning: glibc is never grafted: ${exceptions.overlayOnly.glibc}.";
        }
        {
          assertion = strategy != "march" || !handed;
          message = "workspace-tuning: your configuration hands over a set of packages (nixpkgs.pkgs, or pkgs in specialArgs), which no march of the system changes: write the march into that set, or leave libraries.march.system out.";
        }
      ];
      warnings = map (name: "workspace-tuning: this nixpkgs has no `${name}`; it is left out of the optimized libraries.") absent;
    }

    (lib.mkIf (strategy == "graft") {
      # Default: []. The unpatched system is built, then references to the named libraries are rewritten
      # in copies of everything that has them. `getLib`, since `pkgs.openssl` alone is its command.
      system.replaceDependencies.replacements = map
        (name: {
          oldDependency = lib.getLib pkgs.${name};
          newDependency = lib.getLib (libraries.optimized name pkgs.${name});
        })
        (lib.filter (name: pkgs ? ${name}) libraries.grafted);
    })

    # A read-only option counts a definition whose condition is false too.
    (lib.optionalAttrs (!closed) (lib.mkIf (strategy == "march") {
      # Default: the plain system double. 900 wins over the `mkDefault` of a generated
      # hardware-configuration.nix and yields to a definition that the user wrote.
      nixpkgs.hostPlatform = lib.mkOverride 900 {
        inherit (workspaceTuning.hardware) system;
        gcc = { arch = compiler.march; tune = compiler.mtune; };
      };
    }))

    (lib.mkIf (workspaceTuning.settings ? "libraries.march.feature") {
      # Default: none beside system-features, which nixpkgs sets by mkDefault and a definition of ours
      # would replace. Builds for a march ask for this feature, and the daemon that runs now has to know
      # it: this generation comes before the march one.
      nix.settings.extra-system-features = [ "gccarch-${compiler.march}" ];
    })
  ];
}
