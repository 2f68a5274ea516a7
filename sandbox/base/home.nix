# The user's home: packages, an alias and a variable of their own.
{ lib, pkgs, host, ... }:
{
  home.username = host.user;
  home.homeDirectory = host.home;
  home.stateVersion = "25.11";
  home.packages = [ (lib.getBin pkgs.zstd) pkgs.git pkgs.python3 pkgs.nodejs pkgs.go ];
  home.sessionVariables.EDITOR = "ed";
  home.shellAliases.ll = "ls -l";
  programs.bash.enable = true;
}
