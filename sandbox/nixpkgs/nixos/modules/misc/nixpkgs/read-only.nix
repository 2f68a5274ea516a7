# In the place of ../nixpkgs.nix: the package set is handed over whole, and no module changes it.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  inherit (config.nixpkgs) pkgs;
  told = name: mkOption { type = types.unique { message = "nixpkgs.${name} is set to read-only"; } types.anything; };
  fixed = mkOption { readOnly = true; type = types.raw; };
in
{
  disabledModules = [ ../nixpkgs.nix ];
  options.nixpkgs = {
    pkgs = mkOption { type = types.pkgs; };
    config = told "config";
    overlays = told "overlays";
    hostPlatform = fixed;
  };
  config = {
    _module.args.pkgs = lib.foldr (name: builtins.seq config.nixpkgs.${name}) pkgs [ "config" "overlays" "hostPlatform" ];
    nixpkgs = {
      inherit (pkgs) config overlays;
      inherit (pkgs.stdenv) hostPlatform;
    };
  };
}
