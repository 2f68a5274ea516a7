# system.build.toplevel of the miniature: init, nixos-version, etc, sw and a real
# bin/switch-to-configuration, built with /bin/sh.
#
# What its activation does is visible and harmless: below `miniature.root` it links
# run/current-system, etc/static and boot/default, and it appends one line to `miniature.log`.
# The variables MINIATURE_ROOT, MINIATURE_LOG and MINIATURE_EXIT override it for one call.
#
# Where `miniature.machine` names a directory of a whole machine (tests/vm/guest), the system has a
# kernel, an initrd and parameters that boot, and its activation is that machine's own.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  failed = map (assertion: assertion.message) (lib.filter (assertion: !assertion.assertion) config.assertions);
  enabled = lib.filter (entry: entry.enable) (lib.attrValues config.environment.etc);
  slice = name: value:
    let
      content = lib.concatStringsSep "\n" ([ "[Slice]" ] ++ lib.mapAttrsToList (key: setting: "${key}=${toString setting}") value.sliceConfig);
      file = if value.overrideStrategy == "asDropin" || name == "user" then "${name}.slice.d/overrides.conf" else "${name}.slice";
    in
    { inherit file; source = pkgs.writeText "slice" (content + "\n"); };
  # Of the services those that run something: the rest of a unit is nobody's here.
  service = name: value: {
    file = "${name}.service";
    source = pkgs.writeText "service" (lib.concatLines ([ "[Unit]" "Description=${value.description}" "[Service]" ]
      ++ lib.mapAttrsToList (key: setting: "Environment=${key}=${toString setting}") value.environment
      ++ lib.mapAttrsToList (key: setting: "${key}=${toString setting}") value.serviceConfig));
  };
  profiles = lib.filterAttrs (_: user: user.packages != [ ]) config.users.users;
  etc = map (entry: { file = entry.target; inherit (entry) source; }) enabled
    ++ map (unit: unit // { file = "systemd/system/${unit.file}"; }) (lib.mapAttrsToList slice config.systemd.slices
    ++ lib.mapAttrsToList service (lib.filterAttrs (_: one: one.serviceConfig ? ExecStart) config.systemd.services))
    ++ map (unit: unit // { file = "systemd/user/${unit.file}"; }) (lib.mapAttrsToList slice config.systemd.user.slices)
    ++ lib.mapAttrsToList
    (name: user: {
      file = "profiles/per-user/${name}";
      source = pkgs.buildEnv { name = "user-environment"; paths = user.packages; };
    })
    profiles
    ++ [
    {
      file = "sysctl.d/60-nixos.conf";
      source = pkgs.writeText "sysctl"
        (lib.concatLines (lib.mapAttrsToList (name: value: "${name}=${toString value}")
          (lib.filterAttrs (_: value: value != null) config.boot.kernel.sysctl)));
    }
  ];

  inherit (config.miniature) machine;
  # What Nix, zram-generator and udev read of the options, in the form of nixpkgs' own modules.
  word = one: if builtins.isBool one then lib.boolToString one else toString one;
  machineFiles = lib.optionals (machine != null) (
    [{
      file = "nix/nix.conf";
      source = pkgs.writeText "nix.conf" (lib.concatLines
        (lib.mapAttrsToList (name: setting: "${name} = ${word setting}") config.nix.settings));
    }]
    ++ lib.optional config.zramSwap.enable {
      file = "systemd/zram-generator.conf";
      source = pkgs.writeText "zram" ''
        [zram0]
        compression-algorithm=${config.zramSwap.algorithm}
        swap-priority=${toString config.zramSwap.priority}
        zram-size=ram * ${toString config.zramSwap.memoryPercent} / 100
      '';
    }
    ++ lib.optional (config.hardware.block.scheduler != { }) {
      file = "udev/rules.d/98-block-io-scheduler.rules";
      source = pkgs.writeText "scheduler" (lib.concatLines (lib.mapAttrsToList
        (name: scheduler: ''SUBSYSTEM=="block", ACTION=="add|change", TEST=="queue/scheduler", KERNEL=="${name}", ATTR{queue/scheduler}="${scheduler}"'')
        config.hardware.block.scheduler));
    }
    ++ lib.optional (config.services.udev.extraRules != "") {
      file = "udev/rules.d/99-local.rules";
      source = pkgs.writeText "rules" config.services.udev.extraRules;
    }
  );

  toplevel = pkgs.stdenv.mkDerivation {
    name = "nixos-system-${config.networking.hostName}-${config.system.nixos.version}";
    release = config.system.nixos.version;
    rules = lib.optionals (machine != null) config.services.udev.packages;
    etcFiles = map (entry: "${entry.file}=${entry.source}") (etc ++ machineFiles);
    sw = pkgs.buildEnv { name = "system-path"; paths = config.environment.systemPackages; };
    activation = ./switch-to-configuration.sh;
    root = toString config.miniature.root;
    log = toString config.miniature.log;
    kernel = if machine == null then config.boot.kernelPackages.kernel else "${machine}/kernel";
    machine = toString machine;
    inherit (config.miniature) initrd;
    parameters = toString config.boot.kernelParams;
    driver = lib.optionalString config.hardware.nvidia.enabled config.hardware.nvidia.package;
    loader = "timeout=${toString config.boot.loader.timeout}";
    # Enough of the rest that a changed option is a changed system.
    facts = builtins.toJSON {
      inherit (config) zramSwap;
      inherit (config.boot) kernelParams;
      inherit (config.nix) settings;
      inherit (config.hardware) block;
      rules = map toString config.services.udev.packages;
      inherit (config.programs.firefox) preferences;
      modesetting = config.hardware.nvidia.modesetting.enable;
      replaced = map (r: [ (toString r.oldDependency) (toString r.newDependency) ]) config.system.replaceDependencies.replacements;
    };
    buildCommand = ''
      mkdir -p "$out/bin" "$out/etc"
      printf '%s' "$release" > "$out/nixos-version"
      printf '%s\n' "$facts" > "$out/facts.json"
      printf '%s\n' "$loader" > "$out/loader"
      printf '#!/bin/sh\n' > "$out/init"
      if [ -n "$machine" ]; then
        printf 'exec %s/stage-2 %s\n' "$machine" "$out" >> "$out/init"
        printf '%s' "$parameters" > "$out/kernel-params"
        ln -s "$machine/$initrd" "$out/initrd"
        ln -s "$machine/kernel-modules" "$out/kernel-modules"
      fi
      ln -s "$sw" "$out/sw"
      ln -s "$kernel" "$out/kernel"
      [ -z "$driver" ] || ln -s "$driver" "$out/driver"
      for entry in $etcFiles; do
        target=$out/etc/''${entry%%=*}
        [ -d "''${target%/*}" ] || mkdir -p "''${target%/*}"
        ln -s "''${entry#*=}" "$target"
      done
      for package in $rules; do
        mkdir -p "$out/etc/udev/rules.d"
        ln -s -t "$out/etc/udev/rules.d" "$package"/lib/udev/rules.d/*
      done
      sed -e "s#@toplevel@#$out#" -e "s#@root@#$root#" -e "s#@log@#$log#" -e "s#@machine@#$machine#" "$activation" > "$out/bin/switch-to-configuration"
      chmod 755 "$out/init" "$out/bin/switch-to-configuration"
    '';
  };
in
{
  options.miniature = {
    root = mkOption { type = types.nullOr types.str; default = null; };
    log = mkOption { type = types.nullOr types.str; default = null; };
    machine = mkOption { type = types.nullOr types.str; default = null; };
    initrd = mkOption { type = types.str; default = "initrd"; };
  };
  config.system.build.toplevel =
    if failed == [ ] then lib.foldr lib.warn toplevel config.warnings
    else throw "\nFailed assertions:\n${lib.concatLines (map (message: "- ${message}") failed)}";
}
