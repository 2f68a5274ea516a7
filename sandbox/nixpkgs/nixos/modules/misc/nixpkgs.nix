# nixpkgs.*: how the miniature system gets its package set.
{ config, lib, options, release, ... }:
let
  inherit (lib) mkOption types;
  overlay = lib.mkOptionType { name = "nixpkgs-overlay"; description = "nixpkgs overlay"; check = lib.isFunction; merge = lib.mergeOneOption; };
  platform = config.nixpkgs.hostPlatform;
  given = options.nixpkgs.pkgs.isDefined;
in
{
  options.nixpkgs = {
    overlays = mkOption { type = types.listOf overlay; default = [ ]; };
    config = mkOption { type = types.attrs; default = { }; };
    hostPlatform = mkOption { type = types.either types.str types.attrs; };
    pkgs = mkOption { type = types.pkgs; };
  };
  config = {
    _module.args.pkgs =
      if given then config.nixpkgs.pkgs.appendOverlays config.nixpkgs.overlays
      else
        import ../../.. {
          inherit lib release;
          inherit (config.nixpkgs) overlays config;
          localSystem = if builtins.isString platform then { system = platform; } else platform;
        };
    assertions = [{
      assertion = !given || config.nixpkgs.config == { };
      message = "nixpkgs.config has no effect on an externally made nixpkgs.pkgs.";
    }];
  };
}
