# The marker of the NixOS layer: /etc/workspace-tuning/nixos.json, in every generation made with it.
{ lib, workspaceTuning, ... }:
{
  # Default: absent. The hash of the profile and the names of the settings in force.
  environment.etc."workspace-tuning/nixos.json".text = import ./lib/marker.nix {
    profile = workspaceTuning;
    layer = "nixos";
    inherit (import ./lib/libraries.nix { inherit lib; profile = workspaceTuning; layer = "system"; }) strategy;
  };
}
