# `lib.homeManagerConfiguration` of the miniature: pkgs and modules in, an evaluated home with
# `activationPackage`, `pkgs` and `extendModules` out.
{ pkgs, modules ? [ ], extraSpecialArgs ? { }, lib ? pkgs.lib, ... }:
let
  withExtras = evaluated:
    let
      failed = map (assertion: assertion.message)
        (lib.filter (assertion: !assertion.assertion) evaluated.config.assertions);
      checked =
        if failed == [ ] then lib.foldr lib.warn evaluated evaluated.config.warnings
        else throw "\nFailed assertions:\n${lib.concatLines (map (message: "- ${message}") failed)}";
    in
    checked // {
      inherit (checked.config.home) activationPackage;
      inherit (checked._module.args) pkgs;
      extendModules = arguments: withExtras (evaluated.extendModules arguments);
    };
in
withExtras (lib.evalModules {
  class = "homeManager";
  # Which options there are depends on the release, so the release cannot come from a module.
  specialArgs = { lib = import ./extended.nix lib; homeRelease = pkgs.release; } // extraSpecialArgs;
  modules = modules ++ [
    ../options.nix
    ../nixpkgs.nix
    ../generation.nix
    {
      nixpkgs = { config = lib.mkDefault pkgs.config; inherit (pkgs) overlays; };
      _module.args.initialPkgs = pkgs;
    }
  ];
})
