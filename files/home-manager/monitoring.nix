# Monitoring aliases, for bash, zsh and fish alike. Settings: monitoring.*
#
# home-manager owns the shells' own files: an edit of ~/.bashrc would collide with it.
{ lib, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  rows = map (id: settings.${id}) (lib.filter (id: lib.hasPrefix "monitoring." id) (lib.attrNames settings));
in
{
  # Default: none. An alias of the same name that the user defined wins.
  home.shellAliases = lib.listToAttrs
    (map (row: lib.nameValuePair row.alias (lib.mkDefault row.command)) rows);
}
