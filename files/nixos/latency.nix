# Rows beyond the plan, each only where it was asked for: what keeps a desktop answering while memory is
# short. Settings: memory.zswap, memory.min-ttl, memory.oomd, memory.sched-ext (memory.page-cluster is a
# sysctl of memory.nix).
{ lib, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  having = name: lib.filter (id: settings.${id} ? ${name}) (lib.attrNames settings);
in
{
  config = lib.mkMerge [
    {
      # Default of most kernels: zswap.enabled=1, a compressed cache in front of every swap, of zram too.
      boot.kernelParams = lib.concatMap (id: settings.${id}.kernelParams) (having "kernelParams");

      # Default of the kernel: 0. `w` writes into a file that is there and leaves its mode alone.
      systemd.tmpfiles.rules = lib.concatMap
        (id: lib.mapAttrsToList (path: text: "w ${path} - - - - ${text}") settings.${id}.write)
        (having "write");

      # Default: "auto", which is none. A drop-in, so that the unit stays systemd's own.
      systemd.user.slices = lib.mkMerge (map
        (id: lib.mapAttrs
          (_: sliceConfig: {
            overrideStrategy = "asDropin";
            sliceConfig = lib.mapAttrs (_: lib.mkDefault) sliceConfig;
          })
          settings.${id}.userSlices)
        (having "userSlices"));
    }

    (lib.mkIf (having "userSlices" != [ ]) {
      # Default: true since 22.11. Whoever asks for the row and has switched it off decides.
      systemd.oomd.enable = lib.mkDefault true;
    })

    (lib.mkIf (having "scx" != [ ]) {
      services.scx = {
        # Default: false.
        enable = lib.mkDefault true;
        # Default: scx_rustland.
        scheduler = lib.mkDefault settings.${lib.head (having "scx")}.scx;
      };
    })
  ];
}
