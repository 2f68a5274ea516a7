# The NixOS options that the layer and the test workspaces set: names, types and defaults as in
# nixpkgs, implementations only where a test looks at the result.
{ config, lib, pkgs, release, ... }:
let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  since = version: lib.versionAtLeast release version;
  text = types.submodule ({ name, config, ... }: {
    options = {
      enable = option types.bool true;
      target = option types.str name;
      text = option (types.nullOr types.lines) null;
      source = mkOption { type = types.path; };
      mode = option types.str "symlink";
    };
    config.source = lib.mkIf (config.text != null) (lib.mkDefault (pkgs.writeText "etc-file" config.text));
  });
  unit = types.submodule {
    options = {
      sliceConfig = option (types.attrsOf types.anything) { };
      serviceConfig = option (types.attrsOf types.anything) { };
      unitConfig = option (types.attrsOf types.anything) { };
      environment = option (types.attrsOf (types.nullOr (types.oneOf [ types.str types.path types.package ]))) { };
      stopIfChanged = option types.bool true;
      overrideStrategy = option (types.enum [ "asDropinIfExists" "asDropin" ]) "asDropinIfExists";
      description = option types.str "";
    } // lib.genAttrs [ "wantedBy" "wants" "after" "before" ] (_: option (types.listOf types.str) [ ]);
  };
  user = types.submodule ({ name, ... }: {
    options = {
      name = option types.str name;
      home = option types.path "/var/empty";
      uid = option (types.nullOr types.int) null;
      packages = option (types.listOf types.package) [ ];
    };
  });
  number = option types.str;
in
{
  imports = [ ./modules/misc/assertions.nix ];

  options = {
    networking.hostName = option types.str "nixos";
    environment = {
      systemPackages = option (types.listOf types.package) [ ];
      etc = option (types.attrsOf text) { };
      variables = option (types.attrsOf types.str) { };
      sessionVariables = option (types.attrsOf types.str) { };
      shellAliases = option (types.attrsOf (types.nullOr types.str)) { };
      pathsToLink = option (types.listOf types.str) [ ];
    };
    users.users = option (types.attrsOf user) { };
    nix.enable = option types.bool true;
    nix.package = option types.package pkgs.nix;
    nix.settings = option
      (types.submodule {
        freeformType = types.attrsOf types.anything;
        options = {
          max-jobs = option (types.either types.int (types.enum [ "auto" ])) "auto";
          cores = option types.int 0;
          substituters = mkOption { type = types.listOf types.str; };
          trusted-public-keys = mkOption { type = types.listOf types.str; };
          system-features = mkOption { type = types.listOf types.str; };
        };
      })
      { };
    boot = {
      kernelPackages = option types.raw pkgs.linuxPackages;
      kernelParams = option (types.listOf types.str) [ ];
      kernel.sysctl = option (types.attrsOf (types.uniq (types.nullOr (types.oneOf [ types.bool types.str types.int ])))) { };
      loader = {
        timeout = option (types.nullOr types.int) 5;
        grub.enable = option types.bool false;
        grub.configurationLimit = option types.int 100;
        systemd-boot.enable = option types.bool false;
        systemd-boot.configurationLimit = option (types.nullOr types.int) null;
      };
    };
    hardware = {
      graphics = {
        enable = option types.bool false;
        enable32Bit = option types.bool false;
        extraPackages = option (types.listOf types.package) [ ];
      };
      nvidia = {
        enabled = mkOption { type = types.bool; default = lib.elem "nvidia" config.services.xserver.videoDrivers; };
        package = mkOption {
          type = types.package;
          default = config.boot.kernelPackages.nvidiaPackages.${config.hardware.nvidia.branch or "stable"};
        };
        open = option (types.nullOr types.bool) null;
        modesetting.enable = option types.bool true;
        videoAcceleration = option types.bool true;
      } // lib.optionalAttrs (since "26.05") {
        branch = option (types.enum (lib.attrNames config.boot.kernelPackages.nvidiaPackages)) "stable";
      };
      block.scheduler = option (types.attrsOf types.str) { };
    };
    services.desktopManager.plasma6.enable = option types.bool false;
    services.xserver.videoDrivers = option (types.listOf types.str) [ "modesetting" "fbdev" ];
    services.udev.extraRules = option types.lines "";
    zramSwap = {
      enable = option types.bool false;
      algorithm = option types.str "zstd";
      memoryPercent = option types.ints.positive 50;
      memoryMax = option (types.nullOr types.int) null;
      priority = option types.int 5;
    };
    systemd.services = option (types.attrsOf unit) { };
    systemd.slices = option (types.attrsOf unit) { };
    systemd.user.slices = option (types.attrsOf unit) { };
    systemd.user.services = option (types.attrsOf unit) { };
    # home-manager's own modules look at these of the system that they are a part of.
    fonts.fontconfig.enable = option types.bool true;
    i18n.glibcLocales = option types.package pkgs.glibcLocales;
    systemd.oomd.enable = option types.bool true;
    systemd.tmpfiles.rules = option (types.listOf types.str) [ ];
    services.scx.enable = option types.bool false;
    services.scx.scheduler = option types.str "scx_rustland";
    programs.firefox = {
      enable = option types.bool false;
      package = option types.package pkgs.firefox;
      preferences = option (types.attrsOf (types.oneOf [ types.bool types.int types.str ])) { };
    };
    system = {
      stateVersion = option types.str release;
      nixos.version = option types.str "${release}.miniature";
      build = option (types.lazyAttrsOf types.unspecified) { };
      userActivationScripts = option (types.attrsOf types.anything) { };
      replaceDependencies = {
        replacements = option
          (types.listOf (types.submodule {
            options = {
              oldDependency = mkOption { type = types.package; };
              newDependency = mkOption { type = types.package; };
            };
          })) [ ];
        cutoffPackages = option (types.listOf types.package) [ ];
      };
    };
  };

  config = lib.mkMerge [
    {
      # As the real module: the driver asks for a decision on the open kernel module.
      assertions = [{
        assertion = config.hardware.nvidia.enabled && lib.versionAtLeast config.hardware.nvidia.package.version "560" -> config.hardware.nvidia.open != null;
        message = "You must configure `hardware.nvidia.open` on NVIDIA driver versions >= 560.";
      }];
      nix.settings.system-features = lib.mkDefault ([ "nixos-test" "benchmark" "big-parallel" "kvm" ]
        ++ lib.optional (pkgs.stdenv.hostPlatform ? gcc.arch) "gccarch-${pkgs.stdenv.hostPlatform.gcc.arch}");
      nix.settings.substituters = lib.mkAfter [ "https://cache.nixos.org/" ];
      nix.settings.trusted-public-keys = [ "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=" ];
      environment.variables = config.environment.sessionVariables;
      environment.etc."pam/environment".text = lib.concatLines
        (lib.mapAttrsToList (name: value: "${name} DEFAULT=\"${value}\"") config.environment.sessionVariables);
    }
    (lib.mkIf (config.hardware.nvidia.enabled && config.hardware.nvidia.videoAcceleration) {
      hardware.graphics.extraPackages = [ pkgs.nvidia-vaapi-driver ];
    })
  ];
}
