# Phase 1, libraries of the home. Settings: libraries.group.home.*, libraries.overlay.home.
{ lib, pkgs, workspaceTuning, ... }:
let
  libraries = import ./lib/libraries.nix { inherit lib; profile = workspaceTuning; layer = "home"; };
  install = import ./lib/install.nix { inherit lib; };
  absent = lib.filter (name: !(pkgs ? ${name})) libraries.copies;
in
{
  # Default: the overlays of the user's own package set, to which this one is added. nixpkgs.config is
  # never set here: a definition would replace the user's (allowUnfree and others).
  nixpkgs.overlays = [ libraries.overlay ];

  # Default: nothing. Commands of the copies, in front of the plain ones of the same name.
  home.packages = map (name: install.inFront pkgs.optimized.${name})
    (lib.filter (name: pkgs.optimized ? ${name}) libraries.install);

  assertions = [{
    assertion = !(lib.elem libraries.strategy [ "graft" "march" ]);
    message = "workspace-tuning: the library strategy ${libraries.strategy} belongs to a NixOS system; a home has leaf and overlay.";
  }];
  warnings = map (name: "workspace-tuning: this nixpkgs has no `${name}`; it is left out of the optimized libraries.") absent;
}
