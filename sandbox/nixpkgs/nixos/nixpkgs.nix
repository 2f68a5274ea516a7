# nixpkgs.*: how the miniature system gets its package set.
{ config, lib, release, ... }:
let
  inherit (lib) mkOption types;
  overlay = lib.mkOptionType { name = "nixpkgs-overlay"; check = lib.isFunction; merge = lib.mergeOneOption; };
  platform = config.nixpkgs.hostPlatform;
in
{
  options.nixpkgs = {
    overlays = mkOption { type = types.listOf overlay; default = [ ]; };
    config = mkOption { type = types.attrs; default = { }; };
    hostPlatform = mkOption { type = types.either types.str types.attrs; };
    pkgs = mkOption { type = types.nullOr types.raw; default = null; };
  };
  config = {
    _module.args.pkgs =
      if config.nixpkgs.pkgs != null then config.nixpkgs.pkgs.appendOverlays config.nixpkgs.overlays
      else
        import ../. {
          inherit lib release;
          inherit (config.nixpkgs) overlays config;
          localSystem = if builtins.isString platform then { system = platform; } else platform;
        };
    assertions = [{
      assertion = config.nixpkgs.pkgs == null || config.nixpkgs.config == { };
      message = "nixpkgs.config has no effect on an externally made nixpkgs.pkgs.";
    }];
  };
}
