# The record of which options each setting has set. ours.nix fills it, the marker reads it.
{ lib, ... }:
{
  options.workspaceTuning.set = lib.mkOption {
    type = lib.types.attrsOf (lib.types.listOf (lib.types.listOf lib.types.str));
    default = { };
    internal = true;
    description = "Setting of workspace-tuning -> the options that it sets.";
  };
}
