# The package set of the home. A home that is part of a system (files/nixos/home.nix) can have the system's
# own package set, which gets its overlays in the system.
{ lib, pkgs, ... }:
{
  options.workspaceTuning = {
    systemPackages = lib.mkOption {
      type = lib.types.bool;
      default = false;
      internal = true;
      description = "Whether the package set is that of the system (home-manager.useGlobalPkgs).";
    };
    # Read by answers of the layer's flake: a home in a system shows its package set nowhere else.
    pkgs = lib.mkOption {
      type = lib.types.raw;
      default = pkgs;
      internal = true;
      description = "The package set of the home.";
    };
  };
}
