# Rows beyond the plan, each only where it was asked for: keep a desktop answering while memory is short,
# and restart a machine that does not boot. Settings: memory.zswap, memory.min-ttl,
# memory.session, memory.sched-ext, boot.restart (memory.page-cluster is a sysctl of memory.nix,
# memory.oomd a drop-in of the home).
{ lib, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (import ./lib/ours.nix { inherit lib; }) ours yielding;
  inForce = id: settings ? ${id};
  protected.MemoryMin = settings."memory.session".protect;
  having = name: lib.filter (id: settings.${id} ? ${name}) (lib.attrNames settings);
in
{
  config = lib.mkMerge [
    {
      # No priority, so that the list is added to the user's own and does not replace it.
      # Default of most kernels: zswap.enabled=1, a compressed cache in front of every swap, of zram too;
      # panic=0, which waits for ever; no watchdog.
      boot.kernelParams = lib.concatMap (id: settings.${id}.kernelParams) (having "kernelParams");
      # Default of the kernel: 0. `w` writes into an existing file and keeps its mode.
      systemd.tmpfiles.rules = lib.concatMap
        (id: lib.mapAttrsToList (path: text: "w ${path} - - - - ${text}") settings.${id}.write)
        (having "write");
    }

    # Default of each: 0, no promise. A group has at most the promise of each group above, so all four have
    # the same value. `user@` is a user's manager, `user-` the prefix of every user-<uid>.slice.
    (lib.mkIf (inForce "memory.session") (ours "memory.session" {
      systemd.slices.user.sliceConfig = protected;
      systemd.slices."user-".sliceConfig = protected;
      systemd.services."user@".serviceConfig = protected;
      systemd.user.slices.session.sliceConfig = protected;
    }))
    (lib.mkIf (inForce "memory.session") (yielding {
      systemd.slices.user.overrideStrategy = "asDropin";
      systemd.slices."user-".overrideStrategy = "asDropin";
      systemd.user.slices.session.overrideStrategy = "asDropin";
    }))

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
