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
  # A value is one definition's: equal ones of two people are refused too.
  sysctl = types.uniq (types.nullOr (types.oneOf [ types.bool types.str types.int ])) // {
    description = "sysctl option value";
    descriptionClass = "other";
  };
  parameter = types.strMatching ''([^"[:space:]]|"[^"]*")+'' // {
    description = "string, with spaces inside double quotes";
    descriptionClass = "noun";
  };
  # What Nix reads of a setting, of which several are a list.
  atom = types.nullOr (types.oneOf [ types.bool types.int types.float types.str types.path types.package ]) // {
    description = "Nix config atom (null, bool, int, float, str, path or package)";
    descriptionClass = "conjunction";
  };
  variable = types.oneOf [ types.int types.str types.path ];
  schedulers = map (name: "scx_${name}") [
    "beerland"
    "bpfland"
    "chaos"
    "cosmos"
    "central"
    "flash"
    "flatcg"
    "lavd"
    "layered"
    "mitosis"
    "nest"
    "p2dq"
    "pair"
    "prev"
    "qmap"
    "rlfifo"
    "rustland"
    "rusty"
    "sdt"
    "simple"
    "tickless"
    "userland"
    "wd40"
  ];
in
{
  imports = [ ./modules/misc/assertions.nix ];

  options = {
    networking.hostName = option types.str "nixos";
    environment = {
      systemPackages = option (types.listOf types.package) [ ];
      etc = option (types.attrsOf text) { };
      variables = option (types.attrsOf (types.nullOr (types.oneOf [ (types.listOf variable) types.int types.str types.path ]))) { } // {
        apply = set: lib.mapAttrs (_: one: lib.concatStringsSep ":" (map toString (lib.toList one)))
          (lib.filterAttrs (_: one: one != null) set);
      };
      sessionVariables = option (types.attrsOf types.str) { };
      shellAliases = option (types.attrsOf (types.nullOr types.str)) { };
      pathsToLink = option (types.listOf types.str) [ ];
    };
    users.users = option (types.attrsOf user) { };
    nix.enable = option types.bool true;
    nix.package = option types.package pkgs.nix;
    nix.settings = option
      (types.submodule {
        freeformType = types.attrsOf (types.either atom (types.listOf atom));
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
      kernelParams = option (types.listOf parameter) [ ];
      kernel.sysctl = option (types.submodule { freeformType = types.attrsOf sysctl; }) { };
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
        open = option (types.nullOr types.bool)
          (if lib.versionOlder config.hardware.nvidia.package.version "560" then false else null);
        modesetting.enable = option types.bool (lib.versionAtLeast config.hardware.nvidia.package.version "535");
        videoAcceleration = option types.bool true;
      } // lib.optionalAttrs (since "26.05") {
        branch = option (types.enum (lib.attrNames config.boot.kernelPackages.nvidiaPackages)) "stable";
      };
      block = {
        scheduler = option (types.attrsOf types.str) { };
        defaultScheduler = option (types.nullOr types.str) null;
        defaultSchedulerRotational = option (types.nullOr types.str) null;
      };
    };
    services.desktopManager.plasma6.enable = option types.bool false;
    services.xserver.videoDrivers = option (types.listOf types.str) [ "modesetting" "fbdev" ];
    services.udev.extraRules = option types.lines "";
    services.udev.packages = option (types.listOf types.path) [ ];
    zramSwap = {
      enable = option types.bool false;
      algorithm = option (types.either (types.enum [ "842" "lzo" "lzo-rle" "lz4" "lz4hc" "zstd" ]) types.str) "zstd";
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
    services.scx.scheduler = option (types.enum schedulers) "scx_rustland";
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
