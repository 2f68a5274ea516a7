# Session variables for shells that no session started (a login through SSH). Setting: video.variables
#
# A Plasma session and its units read ~/.config/environment.d, which the session layer writes;
# home.sessionVariables alone would reach shells only.
{ lib, workspaceTuning, ... }:
{
  # Default: unset. The user's own definition wins.
  home.sessionVariables = lib.mapAttrs (_: lib.mkDefault)
    (workspaceTuning.settings."video.variables".variables or { });
}
