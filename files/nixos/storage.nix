# Storage and builds: I/O scheduler, boot menu, how much is built at once. Settings: storage.*, boot.*,
# build.*
{ config, lib, pkgs, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (workspaceTuning.hardware) storage build;
  declared = lib.filter (disk: disk ? scheduler && disk.kind != "unknown") storage.disks;
  inForce = id: settings ? ${id};
  inherit (import ./lib/ours.nix { inherit lib; }) ours;

  # Kernel names of whole disks, by declared kind; the profile has one scheduler for each kind. A virtual
  # disk can be vda, xvda, sda or nvme0n1, except for names of another declared kind. SSDs and rotating
  # disks share names, so their rules look at `rotational`, which sticks and bridges of USB set too.
  of = kind: lib.filter (disk: disk.kind == kind) declared;
  virtual = "[sv]d[a-z]*|xvd[a-z]*" + lib.optionalString (of "nvme" == [ ]) "|nvme[0-9]*";
  pattern = kind: { inherit virtual; nvme = "nvme[0-9]*"; emmc = "mmcblk[0-9]"; }.${kind} or "sd[a-z]*";
  more = {
    ssd = ''ATTR{queue/rotational}=="0", '';
    hdd = ''ATTR{queue/rotational}=="1", DEVPATH!="*/usb[0-9]*", '';
  };
  # What the user says of such disks: by their names, or by a pattern for any.
  stem = { nvme = "nvme"; emmc = "mmcblk"; ssd = "sd"; hdd = "sd"; virtual = "x?vd|sd|nvme"; };
  users = lib.filter
    (name: lib.any (disk: builtins.match "(${stem.${disk.kind}}|[^a-z]).*" name != null) declared)
    (lib.attrNames (config.hardware.block.scheduler or { }));
  rule = { kind, scheduler, ... }: ''
    ACTION=="add|change", SUBSYSTEM=="block", TEST=="queue/scheduler", KERNEL=="${pattern kind}", ${more.${kind} or ""}ATTR{queue/scheduler}="${scheduler}"
  '';
  tier = build.parallelism.tiers.${settings."build.parallelism".tier};

  grub = config.boot.loader.grub;
  systemdBoot = config.boot.loader.systemd-boot;
  kept =
    if systemdBoot.enable or false then systemdBoot.configurationLimit
    else if grub.enable or false then grub.configurationLimit
    else null;
in
{
  config = lib.mkMerge [
    # Default: what the kernel chooses, which is `none` for NVMe already. udev reads rules by their name,
    # and the last one counts: packages of the user's, hardware.block (98) and extraRules (99).
    (lib.mkIf (inForce "storage.scheduler") {
      services.udev.packages = [
        (pkgs.writeTextDir "lib/udev/rules.d/10-workspace-tuning.rules" (lib.concatMapStrings rule declared))
      ];
      workspaceTuning.set."storage.scheduler" = map (name: [ "hardware" "block" name ])
        ([ "defaultScheduler" "defaultSchedulerRotational" ] ++ lib.optional (users != [ ]) "scheduler")
      ++ lib.optional (lib.hasInfix "queue/scheduler" config.services.udev.extraRules)
        [ "services" "udev" "extraRules" ];
    })

    # Default: 5. With 0 the menu that offers the previous generation never shows.
    (lib.mkIf (inForce "boot.menu") (ours "boot.menu" {
      boot.loader.timeout = settings."boot.menu".timeoutSeconds;
    }))
    (lib.mkIf (inForce "boot.menu") {
      warnings = lib.optional (config.boot.loader.timeout == 0)
        "workspace-tuning: boot.loader.timeout is 0: no boot menu will offer the generation before this one."
      ++ lib.optional (kept != null && kept < settings."boot.menu".generations)
        "workspace-tuning: the boot loader keeps ${toString kept} generations; a staged rollout makes up to ${toString settings."boot.menu".generations}, and the one from before it would be lost.";
    })

    (lib.mkIf (inForce "build.parallelism") (ours "build.parallelism" {
      nix.settings = {
        # Default: auto, the number of CPUs, for both: as many compilers as their product can run.
        max-jobs = tier.jobs;
        cores = tier.cores;
      };
    }))
  ];
}
