# The marker of the NixOS layer: /etc/workspace-tuning/nixos.json, in every generation made with it.
{ config, lib, options, workspaceTuning, ... }:
{
  # Default: absent. The hash of the profile and the names of the settings in force.
  environment.etc."workspace-tuning/nixos.json".text = import ./lib/marker.nix {
    profile = workspaceTuning;
    layer = "nixos";
    theirs = (import ./lib/ours.nix { inherit lib; }).theirs options config.workspaceTuning.set;
    inherit (import ./lib/libraries.nix { inherit lib; profile = workspaceTuning; layer = "system"; }) strategy;
  };
}
