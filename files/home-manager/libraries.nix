# Phase 1, libraries of the home. Settings: libraries.group.home.*, libraries.overlay.home.
{ config, lib, pkgs, workspaceTuning, ... }:
let
  libraries = import ./lib/libraries.nix { inherit lib; profile = workspaceTuning; layer = "home"; };
  absent = lib.filter (name: !(pkgs ? ${name})) libraries.copies;
in
{
  # Default: the overlays of the user's own package set, to which this one is added. nixpkgs.config is
  # never set here: a definition would replace the user's (allowUnfree and others).
  config.nixpkgs.overlays = lib.mkIf (!config.workspaceTuning.systemPackages) [ libraries.overlay ];

  config.assertions = [
    {
      assertion = !(lib.elem libraries.strategy [ "graft" "march" ]);
      message = "workspace-tuning: the library strategy ${libraries.strategy} belongs to a NixOS system; a home has leaf and overlay.";
    }
    {
      assertion = !(config.workspaceTuning.systemPackages && libraries.strategy == "overlay");
      message = "workspace-tuning: libraries.overlay.home would rebuild the system, whose packages this home has (home-manager.useGlobalPkgs): accept libraries.overlay.system instead, or let the home have packages of its own.";
    }
  ];
  config.warnings = map (name: "workspace-tuning: this nixpkgs has no `${name}`; it is left out of the optimized libraries.") absent;
}
