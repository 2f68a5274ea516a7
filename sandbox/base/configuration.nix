# The user's system: a package, an overlay of their own, a setting that must win over the layer's.
{ pkgs, host, ... }:
{
  networking.hostName = host.host;
  nixpkgs.config.allowUnfree = true;
  nixpkgs.overlays = [ (final: prev: { userTool = prev.lz4.overrideAttrs { fromUser = 1; }; }) ];
  environment.systemPackages = [ pkgs.git pkgs.zstd pkgs.firefox pkgs.userTool ];
  environment.sessionVariables.EDITOR = "ed";
  system.stateVersion = "25.11";
}
