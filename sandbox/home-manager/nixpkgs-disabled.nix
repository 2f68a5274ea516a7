# nixpkgs.* of a home that has the system's packages (home-manager.useGlobalPkgs): without effect, and said.
{ config, lib, options, ... }:
let
  inherit (lib) mkOption types;
  given = option: option.value or null != null;
  files = lib.unique (lib.concatMap (option: option.files)
    (builtins.filter given [ options.nixpkgs.config options.nixpkgs.overlays ]));
in
{
  options.nixpkgs = {
    overlays = mkOption { type = types.nullOr (types.listOf types.raw); default = null; };
    config = mkOption { type = types.nullOr types.attrs; default = null; };
  };
  config.assertions = [{
    assertion = config.nixpkgs.config == null || config.nixpkgs.overlays == null;
    message = "`nixpkgs` options are disabled when `home-manager.useGlobalPkgs` is enabled.";
  }];
  config.warnings = lib.optional (files != [ ]) ''
    You have set either `nixpkgs.config` or `nixpkgs.overlays` while using `home-manager.useGlobalPkgs`.
    Definitions found in ${lib.concatStringsSep " and " (map toString files)}.
  '';
}
