# Storage and builds: I/O scheduler, boot menu, how much is built at once. Settings: storage.*, boot.*,
# build.*
{ config, lib, options, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (workspaceTuning.hardware) storage build;
  declared = lib.filter (disk: disk ? scheduler && disk.kind != "unknown") storage.disks;
  inForce = id: settings ? ${id};
  inherit (import ./lib/ours.nix { inherit lib; }) ours;

  # Kernel names of whole disks, by declared kind. SSDs and rotating disks share names: where both kinds
  # have a scheduler, the rule also looks at `rotational`.
  # A virtual disk can be vda, xvda, sda or nvme0n1, except for names of another declared kind.
  virtual = "[sv]d[a-z]*|xvd[a-z]*" + lib.optionalString (of "nvme" == [ ]) "|nvme[0-9]*";
  pattern = kind: { inherit virtual; nvme = "nvme[0-9]*"; emmc = "mmcblk[0-9]"; }.${kind} or "sd[a-z]*";
  of = kind: lib.filter (disk: disk.kind == kind) declared;
  mixed = of "ssd" != [ ] && of "hdd" != [ ]
    && (lib.head (of "ssd")).scheduler != (lib.head (of "hdd")).scheduler;
  byName = lib.filter (disk: !mixed || !lib.elem disk.kind [ "ssd" "hdd" ]) declared;
  rule = disk: rotates: ''
    ACTION=="add|change", SUBSYSTEM=="block", TEST=="queue/scheduler", KERNEL=="${pattern disk.kind}", ${rotates}ATTR{queue/scheduler}="${disk.scheduler}"
  '';
  rotating = disk: rule disk ''ATTR{queue/rotational}=="${if disk.kind == "hdd" then "1" else "0"}", '';
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
    (lib.mkIf (inForce "storage.scheduler") (
      # Default: what the kernel chooses, which is `none` for NVMe already.
      if options.hardware ? block then
        ours "storage.scheduler"
          {
            hardware.block.scheduler = lib.listToAttrs
              (map (disk: lib.nameValuePair (pattern disk.kind) disk.scheduler) byName);
          }
      else { services.udev.extraRules = lib.concatMapStrings (disk: rule disk "") byName; }
    ))

    (lib.mkIf (inForce "storage.scheduler" && mixed) {
      services.udev.extraRules = lib.concatMapStrings rotating [ (lib.head (of "ssd")) (lib.head (of "hdd")) ];
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
