# Phase 5, graphics driver and video decoding. Settings: video.*
#
# Decoding is for the card that draws. NVIDIA's driver is set only for cards that draw or offload by
# it; its branch follows from the oldest of them. Since 26.05 the default branch (595) ignores
# Maxwell, Pascal and Volta: the machine comes up without a display.
{ config, lib, options, pkgs, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inForce = id: settings ? ${id};
  inherit (import ./lib/ours.nix { inherit lib; }) ours;

  ofRole = roles: lib.filter (card: lib.elem card.role roles) workspaceTuning.hardware.gpus;
  drawing = lib.head (ofRole [ "draws" ]);
  byNvidia = lib.filter (card: card.driver == "nvidia") (ofRole [ "draws" "offload" ]);
  nvidiaDraws = lib.any (card: card.role == "draws") byNvidia;
  name = card: card.model or card.pciId;

  driver = settings."video.driver";
  # The cards whose last branch is known, oldest first: one driver module drives all of them.
  ending = lib.sort (a: b: driver.lastBranch.${a.architecture} < driver.lastBranch.${b.architecture})
    (lib.filter (card: driver.lastBranch ? ${card.architecture}) byNvidia);
  oldest = lib.head ending;
  last = if ending == [ ] then null else driver.lastBranch.${oldest.architecture};
  # The newest kernel that the release of the branch is known to build with.
  ceiling = lib.foldl'
    (found: from: if lib.versionAtLeast version from then driver.kernelCeiling.${from} else found)
    null
    (lib.sort lib.versionOlder (lib.filter (lib.hasPrefix (toString last)) (lib.attrNames driver.kernelCeiling)));
  branches = config.boot.kernelPackages.nvidiaPackages;
  # A nixpkgs in which that branch is still the current one has no attribute `legacy_<branch>`.
  legacy = "legacy_${toString last}";
  branch = if last != null && branches ? ${legacy} then legacy else "production";
  version = config.hardware.nvidia.package.version;
  kernel = lib.versions.majorMinor config.boot.kernelPackages.kernel.version;

  inherit (settings."video.variables" or { variables = { }; }) variables;

  firefox = config.programs.firefox;
  # The preference that turns decoding on was renamed.
  release = lib.getVersion firefox.package;
  decoding =
    if lib.versionAtLeast release "137" then "media.hardware-video-decoding.force-enabled"
    else "media.ffmpeg.vaapi.enabled";
  browser = settings."video.firefox";
  forced = browser.forceBelow == null || lib.versionOlder release browser.forceBelow;
  # Firefox trusts every driver but NVIDIA's.
  byX11 = browser.forceBelow == null && workspaceTuning.hardware.session.type == "x11";
  withoutAv1 = lib.elem (drawing.architecture or "") browser.withoutAv1
    || lib.elem (drawing.pciId or "") browser.withoutAv1Ids;
in
{
  config = lib.mkMerge [
    # Default: modesetting and fbdev. Nothing of hardware.nvidia acts without this. A card that only offloads
    # has it from the user, together with the choice of PRIME: alone it would draw.
    (lib.mkIf (inForce "video.driver" && nvidiaDraws) (ours "video.driver" {
      services.xserver.videoDrivers = [ "nvidia" ];
    }))
    (lib.mkIf (inForce "video.driver") (ours "video.driver" {
      hardware.nvidia = {
        # Default: null, which stops evaluation from 560 on. Open kernel modules start with Turing.
        open = lib.all (card: lib.elem card.architecture driver.openFrom) byNvidia;
      }
      # Default: the newest production branch, whether it knows this card or not. Since 26.05 the branch has
      # an option of its own, and `package` follows it: a branch that the user chose stays theirs.
      // (if options.hardware.nvidia ? branch then { inherit branch; } else { package = branches.${branch}; });
    }))
    (lib.mkIf (inForce "video.driver") {
      assertions = lib.optional (last != null) {
        assertion = lib.versionOlder version (toString (last + 1));
        message = "workspace-tuning: the NVIDIA driver ${version} ignores ${name oldest} (${oldest.architecture}): the last branch that drives it is ${toString last}. Set ${
          if options.hardware.nvidia ? branch
          then "hardware.nvidia.branch to \"${legacy}\", and no hardware.nvidia.package"
          else "hardware.nvidia.package to config.boot.kernelPackages.nvidiaPackages.${legacy}"
        }.";
      };
      warnings = lib.optional (last != null && ceiling != null && lib.versionOlder ceiling kernel)
        "workspace-tuning: Linux ${kernel} is newer than ${ceiling}, the newest that ${version} of the NVIDIA driver is known to build with: keep boot.kernelPackages at a long-term kernel.";
    })

    (lib.mkIf (inForce "video.modesetting") (ours "video.modesetting" {
      # Default: true since driver 535, and then nvidia-drm.modeset=1 is set as a module option. A kernel
      # parameter beside it would say the same twice.
      hardware.nvidia.modesetting.enable = true;
    }))

    (lib.mkIf (inForce "video.graphics") (ours "video.graphics" {
      # Default: false, both. 32-bit drivers are for Steam and Wine.
      hardware.graphics.enable = true;
      hardware.graphics.enable32Bit = true;
    }))

    (lib.mkIf (inForce "video.vaapi-driver") {
      # Default: none but Mesa's own; hardware.nvidia.videoAcceleration adds NVIDIA's in current
      # releases, and a second mention is harmless.
      hardware.graphics.extraPackages = map (name: pkgs.${name}) settings."video.vaapi-driver".packages;
    })

    (lib.mkIf (inForce "video.vdpau-bridges") {
      # Default: none. VA-API on top of VDPAU, and VDPAU on top of VA-API, in this order.
      hardware.graphics.extraPackages = map (name: pkgs.${name}) settings."video.vdpau-bridges".packages;
    })

    # Default: unset. Not by environment.sessionVariables: NixOS copies those into environment.variables
    # at the priority of a plain definition, where they collide with one of the user's. So shells get
    # them here, and PAM, which is for sessions, gets what shells get.
    (lib.mkIf (inForce "video.variables") (ours "video.variables" { environment.variables = variables; }))
    (lib.mkIf (inForce "video.variables") {
      environment.etc."pam/environment".text = lib.concatMapStrings
        (name: lib.optionalString (config.environment.variables ? ${name} && !(config.environment.sessionVariables ? ${name}))
          "${name} DEFAULT=\"${config.environment.variables.${name}}\"\n")
        (lib.attrNames variables);
    })

    (lib.mkIf (inForce "video.firefox" && firefox.enable) (ours "video.firefox" {
      programs.firefox.preferences = lib.optionalAttrs forced
        {
          # Default: decided by Firefox, which does not trust every driver.
          ${decoding} = true;
        } // lib.optionalAttrs (forced && byX11) {
        # Default: decided by Firefox. NVIDIA's VA-API driver hands its pictures over by EGL alone; a
        # Wayland session has nothing else (README of nvidia-vaapi-driver, July 2026).
        "gfx.x11-egl.force-enabled" = true;
      } // lib.optionalAttrs withoutAv1 {
        # Default: true. This GPU cannot decode AV1; without it sites send VP9 or H.264, which it can.
        "media.av1.enabled" = false;
      };
    }))
  ];
}
