# Phase 3, desktop applications: a slice with limits for each, and launchers for those that the user has.
#
# Settings: electron.app.<name> (a row for each application), electron.flag.* and electron.video-decoding
# (flags of Electron applications), electron.budget, electron.oom-score.
# Numbers in a row: MB are MiB as systemd's M, CPU is percent of one core.
{ config, lib, pkgs, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (import ./lib/ours.nix { inherit lib; }) ours oursEach;
  prefix = "electron.app.";
  ids = lib.filter (lib.hasPrefix prefix) (lib.attrNames settings);
  rowOf = id: settings.${id} // { name = lib.removePrefix prefix id; };
  rows = map rowOf ids;

  # Unit names: a dash inside an identifier is written \x2d, since a plain one separates its parts.
  escape = lib.replaceStrings [ "-" ] [ "\\x2d" ];
  # The dash before the name is a level of hierarchy: every application lies below app-tuned.slice.
  sliceOf = row: "app-tuned-${row.name}";

  # Flags are for Chromium's own command line; CEF and Qt applications do not take them. One
  # --enable-features and one --js-flags: of several the last one wins and the others are lost.
  general = lib.filter (id: lib.hasPrefix "electron.flag." id) (lib.attrNames settings);
  decoding = settings."electron.video-decoding" or { apps = [ ]; flags = [ ]; features = [ ]; };
  flagsOf = row:
    let
      sources = map (id: settings.${id}) general ++ lib.optional (lib.elem row.name decoding.apps) decoding;
      gather = key: lib.unique (lib.concatMap (source: source.${key} or [ ]) sources);
      features = gather "features";
    in
    lib.optionals (row.engine == "electron") (
      [ "--js-flags=--max-old-space-size=${toString row.heapMB}" ]
      ++ gather "flags"
      ++ lib.optional (features != [ ]) "--enable-features=${lib.concatStringsSep "," features}"
    );

  # The launcher of a program of the user's; adopt.sh fills the program in.
  launcher = row: program: pkgs.writeText "launch-${program}" (builtins.replaceStrings
    [ "@flags@" "@slice@" "@unit@" ]
    [ (lib.escapeShellArgs (flagsOf row)) "${sliceOf row}.slice" (escape (builtins.head row.desktopIds)) ]
    (builtins.readFile ./launch.sh));
  adopted = lib.concatMapStringsSep " "
    (row: lib.concatMapStringsSep " " (program: "${program} ${launcher row program}") row.programs)
    rows;

  # When home-manager's sd-switch stops a slice, all programs in the slice end. sd-switch first asks
  # systemd whether the loaded unit may be stopped by hand, so this is refused: by the slice itself, and
  # by drop-ins, which also count for a slice whose own file is gone or was not read yet.
  kept = description: {
    Description = description;
    X-SwitchMethod = "keep-old";
    RefuseManualStop = true;
  };
  refusals = lib.genAttrs
    (map (slice: "systemd/user/${slice}.d/50-workspace-tuning.conf") [ "app-tuned-.slice" "app-tuned.slice" ])
    (_: { text = "[Unit]\nRefuseManualStop=true\n"; });

  limits = row: {
    # Default of each: infinity. High slows the application down and reclaims, Max ends it; pages that
    # went to zram are counted by SwapMax alone. CPU: percent of one core.
    MemoryHigh = "${toString row.memoryHighMB}M";
    MemoryMax = "${toString row.memoryMaxMB}M";
    MemorySwapMax = "${toString row.memorySwapMaxMB}M";
    CPUQuota = "${toString row.cpuQuotaPercent}%";
  };

  # Plasma starts an application as app-<id>@<random>.service; its drop-in moves it.
  # Defaults: Slice=app.slice, OOMScoreAdjust=200, which is more than a user may go below (100).
  dropIn = row: id: lib.nameValuePair "systemd/user/app-${escape id}@.service.d/50-workspace-tuning.conf" {
    text = ''
      [Service]
      Slice=${sliceOf row}.slice
    '' + lib.optionalString (settings ? "electron.oom-score") ''
      OOMScoreAdjust=${toString settings."electron.oom-score".value}
    '';
  };

  # Chromium, and so Electron, asks systemd for a scope of its own once it runs, app-<name>-<pid>.scope,
  # and names no slice for it. A dash of the name is written raw by Electron 41 to 43, as \x2d by 44.
  scopes = row: lib.listToAttrs (map
    (name: lib.nameValuePair "systemd/user/app-${name}-.scope.d/50-workspace-tuning.conf" {
      text = "[Scope]\nSlice=${sliceOf row}.slice\n";
    })
    (lib.unique (lib.concatMap (name: [ name (escape name) ]) (row.desktopIds ++ row.programs))));
in
{
  config = lib.mkMerge [
    {
      # Default: the programs as the user installed them. They stay, with overrides and extensions, behind
      # launchers of the same names; no application is installed. Last, behind commands of the user's.
      home.extraProfileCommands = lib.mkIf (rows != [ ]) (lib.mkOrder 2000 "sh ${./adopt.sh} \"$out\" ${adopted}\n");

      assertions = lib.concatMap
        (row: [
          {
            assertion = lib.all builtins.isInt [ row.heapMB row.memoryHighMB row.memoryMaxMB row.memorySwapMaxMB row.cpuQuotaPercent ];
            message = "workspace-tuning: ${prefix}${row.name}: limits are whole numbers; a fraction would reach systemd in a form that it refuses.";
          }
          {
            assertion = row.memoryHighMB <= row.memoryMaxMB;
            message = "workspace-tuning: ${prefix}${row.name}: MemoryHigh ${toString row.memoryHighMB}M is above MemoryMax ${toString row.memoryMaxMB}M and would never act.";
          }
          {
            assertion = row.engine != "electron" || row.heapMB <= 3500;
            message = "workspace-tuning: ${prefix}${row.name}: V8 does not use more than about 3500 MB of heap, whatever it is told.";
          }
        ])
        rows;
    }

    # Default: no such slices.
    (oursEach ids [ "systemd" "user" "slices" ]
      (id: let row = rowOf id; in { ${sliceOf row} = { Unit = kept "Limits of ${row.title}"; Slice = limits row; }; }))
    # Default: app.slice for every application; OOM score 200.
    (oursEach ids [ "xdg" "configFile" ]
      (id: let row = rowOf id; in lib.listToAttrs (map (dropIn row) row.desktopIds) // scopes row))

    # Both are removed with the last application: then nothing is reloaded, and no slice is stopped.
    (lib.mkIf (rows != [ ]) {
      # Default: none.
      xdg.configFile = refusals;

      # systemd reads the new files before sd-switch decides. Otherwise a slice that comes back while its
      # application runs would be stopped, since the loaded unit does not refuse this yet.
      home.activation.workspaceTuningLimits = lib.hm.dag.entryBetween [ "reloadSystemd" ] [ "linkGeneration" ] ''
        if [ -z "''${DRY_RUN:-}" ]; then
          XDG_RUNTIME_DIR="''${XDG_RUNTIME_DIR:-/run/user/$(id -u)}" \
            ${config.systemd.user.systemctlPath} --user daemon-reload 2>/dev/null || :
        fi
      '';
    })

    (lib.mkIf (settings ? "electron.budget" && rows != [ ]) (ours "electron.budget" {
      # Default: no such slice. The memory of all applications together before they are slowed down.
      systemd.user.slices.app-tuned = {
        Unit = kept "Limits of all tuned applications together";
        Slice.MemoryHigh = "${toString settings."electron.budget".memoryHighPercent}%";
      };
    }))
  ];
}
