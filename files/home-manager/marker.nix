# The marker of the home-manager layer: ~/.config/workspace-tuning/home-manager.json, in every
# generation made with it.
{ config, lib, options, workspaceTuning, ... }:
{
  # Default: absent. The hash of the profile and the names of the settings in force.
  home.file.".config/workspace-tuning/home-manager.json".text = import ./lib/marker.nix {
    profile = workspaceTuning;
    layer = "home-manager";
    theirs = (import ./lib/ours.nix { inherit lib; }).theirs options config.workspaceTuning.set;
    inherit (import ./lib/libraries.nix { inherit lib; profile = workspaceTuning; layer = "home"; }) strategy;
  };
}
