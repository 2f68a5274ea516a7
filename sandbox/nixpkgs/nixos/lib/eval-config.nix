# `lib.nixosSystem` of the miniature: modules in, an evaluated system with `pkgs` and
# `extendModules` out, in the shape of nixpkgs' nixos/lib/eval-config.nix.
{ lib ? import ../../lib, modules, specialArgs ? { }, system ? null, release ? lib.trivial.release, ... }:
let
  miniature = [
    ../options.nix
    ../modules/misc/nixpkgs.nix
    ../toplevel.nix
    { _module.args.release = release; }
  ] ++ lib.optional (system != null) { nixpkgs.hostPlatform = lib.mkDefault system; };

  # Of nixpkgs' own: a name in a unit's name. A path has more signs than a user's name.
  utils.escapeSystemdPath = name:
    lib.optionalString (builtins.substring 0 1 name == ".") "\\x2e"
    + builtins.replaceStrings [ "\\" "-" "@" "+" "$" "/" ] [ "\\x5c" "\\x2d" "\\x40" "\\x2b" "\\x24" "-" ] (lib.removePrefix "." name);

  withExtras = evaluated: evaluated // {
    inherit lib;
    inherit (evaluated._module.args) pkgs;
    extendModules = arguments: withExtras (evaluated.extendModules arguments);
  };
in
withExtras (lib.evalModules { class = "nixos"; specialArgs = { inherit utils; modulesPath = toString ../modules; } // specialArgs; modules = miniature ++ modules; })
