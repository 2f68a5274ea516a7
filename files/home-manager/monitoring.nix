# Monitoring aliases, for bash, zsh and fish alike. Settings: monitoring.*
#
# home-manager owns the shells' own files: an edit of ~/.bashrc would collide with it. It copies
# home.shellAliases to each shell at full strength, where ours would collide with a shell's own alias.
{ config, lib, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (import ./lib/ours.nix { inherit lib; }) yielding;
  rows = lib.filter (id: lib.hasPrefix "monitoring." id) (lib.attrNames settings);
  aliases = lib.listToAttrs (map (id: lib.nameValuePair settings.${id}.alias settings.${id}.command) rows);
  shells = [ "bash" "zsh" "fish" ];
  paths = alias:
    if config.home.shellAliases ? ${alias} then [ [ "home" "shellAliases" alias ] ]
    else map (shell: [ "programs" shell "shellAliases" alias ]) shells;
in
{
  # Default: none. An alias of the same name that the user defined wins.
  config = {
    programs = lib.genAttrs shells (_: { shellAliases = yielding aliases; });
    workspaceTuning.set = lib.genAttrs rows (id: paths settings.${id}.alias);
  };
}
