# Session variables for shells outside of a session (a login through SSH). Setting: video.variables
#
# A Plasma session and its units read ~/.config/environment.d, which the session layer writes;
# home.sessionVariables alone would reach shells only.
{ lib, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (import ./lib/ours.nix { inherit lib; }) ours;
in
{
  # Default: unset. The user's own definition wins.
  config = lib.mkIf (settings ? "video.variables")
    (ours "video.variables" { home.sessionVariables = settings."video.variables".variables; });
}
