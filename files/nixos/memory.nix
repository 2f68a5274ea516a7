# Memory: compressed swap, what the kernel does with it, limits of logged-in users. Settings: memory.*
{ config, lib, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (workspaceTuning.hardware) memory;
  inherit (import ./lib/ours.nix { inherit lib; }) ours oursEach yielding;
  inForce = id: settings ? ${id};
  sysctls = lib.filter (id: settings.${id} ? sysctl) (lib.attrNames settings);
  # The kernel has a ratio or a number of bytes, and NixOS writes the ratio last: it would set a number of
  # the user's to 0. With null nothing is written. mkOrder (1000 is the default) keeps the module system
  # from a look at the value while it collects the names, which the value depends on.
  unlessBytes = name: number: lib.mkOrder 1000 (
    let other = lib.removeSuffix "_ratio" name + "_bytes"; in
    if lib.hasSuffix "_ratio" name && config.boot.kernel.sysctl.${other} or null != null then null else number
  );
  slices = lib.filter (id: settings.${id} ? sliceConfig) (lib.attrNames settings);
in
{
  config = lib.mkMerge [
    (lib.mkIf (inForce "memory.zram" && memory ? zram) (ours "memory.zram" {
      zramSwap = {
        # Default: false.
        enable = true;
        # Default: zstd.
        algorithm = memory.zram.algorithm;
        # Default: 50. The limit of the uncompressed bytes; the compressed bytes take the same memory, so
        # this adds no memory.
        memoryPercent = memory.zram.percent;
        # Default: 5. Higher than that of any disk swap, so that zram fills first.
        priority = memory.zram.priority;
      };
    }))
    # An option of the user's that decides beside these.
    (lib.mkIf (inForce "memory.zram") { workspaceTuning.set."memory.zram" = [ [ "zramSwap" "memoryMax" ] ]; })

    # Defaults of the kernel: vm.swappiness 60, vfs_cache_pressure 100, dirty_ratio 20,
    # dirty_background_ratio 10. Swapping to zram is cheap, so more of it; less dirty data, so shorter
    # waits when it is written.
    (oursEach sysctls [ "boot" "kernel" "sysctl" ] (id: lib.mapAttrs unlessBytes settings.${id}.sysctl))
    (lib.mkIf (inForce "memory.dirty-ratio") {
      workspaceTuning.set."memory.dirty-ratio" = map (name: [ "boot" "kernel" "sysctl" name ])
        [ "vm.dirty_bytes" "vm.dirty_background_bytes" ];
    })

    # Default: no limits. `user-` is the prefix of every user-<uid>.slice; as a unit file of its own systemd
    # would refuse it, as a drop-in it applies to each of them. app.slice holds a user's applications.
    (lib.mkIf (slices != [ ]) (yielding { systemd.slices."user-".overrideStrategy = "asDropin"; }))
    (oursEach slices [ "systemd" "slices" ] (id: { "user-".sliceConfig = settings.${id}.sliceConfig; }))
    (lib.mkIf (inForce "memory.user-slice") (yielding { systemd.user.slices.app.overrideStrategy = "asDropin"; }))
    (lib.mkIf (inForce "memory.user-slice") (ours "memory.user-slice" {
      systemd.user.slices.app.sliceConfig = settings."memory.user-slice".userSlices.app;
    }))
  ];
}
