# The miniature home-manager as a module of NixOS: homes of users in the system's own generation.
#
# Enters: home-manager.users.<user>, modules of a home. Leaves: a unit home-manager-<user>, which activates
# the home at each boot, and at a switch that changed it. Options and texts are home-manager's own.
{ config, lib, pkgs, utils, ... }:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.home-manager;
  switch = mkOption { type = types.bool; default = false; };

  home = types.submoduleWith {
    class = "homeManager";
    specialArgs = {
      lib = import ../lib/extended.nix lib;
      osConfig = config;
      homeRelease = pkgs.release;
    } // cfg.extraSpecialArgs;
    modules = [
      ({ name, ... }: {
        imports = [
          ../options.nix
          ../generation.nix
          (if cfg.useGlobalPkgs then ../nixpkgs-disabled.nix else ../nixpkgs.nix)
        ] ++ cfg.sharedModules;
        config = {
          _module.args = { pkgs = lib.mkDefault pkgs; initialPkgs = pkgs; };
          home.username = config.users.users.${name}.name;
          home.homeDirectory = config.users.users.${name}.home;
        };
      })
    ];
  };

  unit = username: activated: lib.nameValuePair "home-manager-${utils.escapeSystemdPath username}" {
    description = "Home Manager environment for ${username}";
    stopIfChanged = false;
    wantedBy = [ "multi-user.target" ];
    environment = mkIf (cfg.backupFileExtension != null) { HOME_MANAGER_BACKUP_EXT = cfg.backupFileExtension; };
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = "yes";
      User = username;
      ExecStart = "${pkgs.writeScript "hm-setup-env" ''
        #!/bin/sh -e
        exec "$1/activate" --driver-version ${if cfg.enableLegacyProfileManagement then "0" else "1"}
      ''} ${activated}";
    };
  };
in
{
  options.home-manager = {
    useUserPackages = switch;
    useGlobalPkgs = switch;
    startAsUserService = switch;
    enableLegacyProfileManagement = switch;
    backupFileExtension = mkOption { type = types.nullOr types.str; default = null; };
    extraSpecialArgs = mkOption { type = types.attrs; default = { }; };
    sharedModules = mkOption { type = types.listOf types.raw; default = [ ]; };
    users = mkOption { type = types.attrsOf home; default = { }; };
  };

  config = lib.mkMerge [
    { home-manager.extraSpecialArgs.nixosConfig = config; }
    (mkIf (cfg.useUserPackages && cfg.users != { }) {
      users.users = lib.mapAttrs (_: user: { packages = [ user.home.path ]; }) cfg.users;
      environment.pathsToLink = [ "/etc/profile.d" ];
    })
    (mkIf (cfg.users != { }) {
      warnings = lib.concatLists (lib.mapAttrsToList
        (name: user: map (warning: "${name} profile: ${warning}") user.warnings)
        cfg.users);
      assertions = lib.concatLists (lib.mapAttrsToList
        (name: user: map (one: { inherit (one) assertion; message = "${name} profile: ${one.message}"; }) user.assertions)
        cfg.users);
    })
    (mkIf (!cfg.startAsUserService && cfg.users != { }) {
      systemd.services = lib.mapAttrs'
        (_: user: unit user.home.username user.home.activationPackage)
        cfg.users;
    })
  ];
}
