# Rows beyond the plan, each only where it was asked for: what keeps a desktop answering while memory is
# short. Settings: memory.zswap, memory.min-ttl, memory.oomd, memory.sched-ext (memory.page-cluster is a
# sysctl of memory.nix).
{ lib, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (import ./lib/ours.nix { inherit lib; }) ours oursEach;
  having = name: lib.filter (id: settings.${id} ? ${name}) (lib.attrNames settings);
in
{
  config = lib.mkMerge [
    {
      # Lists are added to, never put in place of the user's own: so without a priority.
      # Default of most kernels: zswap.enabled=1, a compressed cache in front of every swap, of zram too.
      boot.kernelParams = lib.concatMap (id: settings.${id}.kernelParams) (having "kernelParams");
      # Default of the kernel: 0. `w` writes into a file that is there and leaves its mode alone.
      systemd.tmpfiles.rules = lib.concatMap
        (id: lib.mapAttrsToList (path: text: "w ${path} - - - - ${text}") settings.${id}.write)
        (having "write");
    }

    # Default: "auto", which is none. A drop-in, so that the unit stays systemd's own.
    (lib.mkIf (having "userSlices" != [ ]) { systemd.user.slices.app.overrideStrategy = "asDropin"; })
    (oursEach (having "userSlices") [ "systemd" "user" "slices" ]
      (id: lib.mapAttrs (_: sliceConfig: { inherit sliceConfig; }) settings.${id}.userSlices))
    # Default: true since 22.11. Whoever has switched oomd off is asked by the check.
    (lib.mkIf (having "userSlices" != [ ]) (ours "memory.oomd" { systemd.oomd.enable = true; }))

    (lib.mkIf (having "scx" != [ ]) (ours "memory.sched-ext" {
      services.scx = {
        # Default: false.
        enable = true;
        # Default: scx_rustland.
        scheduler = settings."memory.sched-ext".scx;
      };
    }))
  ];
}
