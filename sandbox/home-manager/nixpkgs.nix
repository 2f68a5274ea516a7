# nixpkgs.* of a home that has packages of its own.
{ config, lib, initialPkgs, ... }:
let
  inherit (lib) mkOption types;
  overlay = lib.mkOptionType { name = "nixpkgs-overlay"; description = "nixpkgs overlay"; check = lib.isFunction; merge = lib.mergeOneOption; };
in
{
  options.nixpkgs = {
    overlays = mkOption { type = types.nullOr (types.listOf overlay); default = null; };
    config = mkOption { type = types.nullOr types.attrs; default = null; };
  };
  config._module.args.pkgs = lib.mkForce (import initialPkgs.path {
    inherit lib;
    inherit (initialPkgs) release;
    overlays = if config.nixpkgs.overlays == null then [ ] else config.nixpkgs.overlays;
    config = if config.nixpkgs.config == null then { } else config.nixpkgs.config;
  });
}
