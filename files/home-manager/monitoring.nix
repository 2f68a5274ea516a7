# Monitoring aliases, for bash, zsh and fish alike. Settings: monitoring.*
#
# home-manager owns the shells' own files: an edit of ~/.bashrc would collide with it.
{ lib, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (import ./lib/ours.nix { inherit lib; }) oursEach;
  rows = lib.filter (id: lib.hasPrefix "monitoring." id) (lib.attrNames settings);
in
{
  # Default: none. An alias of the same name that the user defined wins.
  config = oursEach rows [ "home" "shellAliases" ] (id: { ${settings.${id}.alias} = settings.${id}.command; });
}
