# Phase 5, graphics driver and video decoding. Settings: video.*
#
# The driver's branch follows from the GPU's generation. Since 26.05 the default branch (595) ignores
# Maxwell, Pascal and Volta: the machine comes up without a display.
{ config, lib, pkgs, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (workspaceTuning.hardware) gpu;
  inForce = id: settings ? ${id};

  driver = settings."video.driver";
  last = driver.lastBranch.${gpu.architecture} or null;
  branches = config.boot.kernelPackages.nvidiaPackages;
  # A release in which that branch is still the current one has no attribute `legacy_<branch>`.
  package = if last == null then branches.production else branches."legacy_${toString last}" or branches.production;
  version = config.hardware.nvidia.package.version;
  kernel = lib.versions.majorMinor config.boot.kernelPackages.kernel.version;

  firefox = config.programs.firefox;
  # The preference that turns decoding on was renamed.
  decoding =
    if lib.versionAtLeast (lib.getVersion firefox.package) "137" then "media.hardware-video-decoding.force-enabled"
    else "media.ffmpeg.vaapi.enabled";
in
{
  config = lib.mkMerge [
    (lib.mkIf (inForce "video.driver") {
      # Default: modesetting and fbdev. Nothing of hardware.nvidia acts without this.
      services.xserver.videoDrivers = lib.mkDefault [ "nvidia" ];
      hardware.nvidia = {
        # Default: the newest production branch, whether it knows this GPU or not.
        package = lib.mkDefault package;
        # Default: null, which stops evaluation from 560 on. Open kernel modules start with Turing.
        open = lib.mkDefault (lib.elem gpu.architecture driver.openFrom);
      };
      assertions = lib.optional (last != null) {
        assertion = lib.versionOlder version (toString (last + 1));
        message = "workspace-tuning: the NVIDIA driver ${version} ignores ${gpu.model} (${gpu.architecture}): the last branch that drives it is ${toString last}. Set hardware.nvidia.package to config.boot.kernelPackages.nvidiaPackages.legacy_${toString last}.";
      };
      warnings = lib.optional (last != null && lib.versionOlder driver.kernelTested kernel)
        "workspace-tuning: Linux ${kernel} is newer than ${driver.kernelTested}, the newest that branch ${toString last} of the NVIDIA driver is known to build with: keep boot.kernelPackages at a long-term kernel.";
    })

    (lib.mkIf (inForce "video.modesetting") {
      # Default: true since driver 535, and then nvidia-drm.modeset=1 is set as a module option. A kernel
      # parameter beside it would say the same twice.
      hardware.nvidia.modesetting.enable = lib.mkDefault true;
    })

    (lib.mkIf (inForce "video.graphics") {
      # Default: false, both. 32-bit drivers are for Steam and Wine.
      hardware.graphics.enable = lib.mkDefault true;
      hardware.graphics.enable32Bit = lib.mkDefault true;
    })

    (lib.mkIf (inForce "video.vaapi-driver") {
      # Default: added by hardware.nvidia.videoAcceleration in current releases; a second mention is
      # harmless.
      hardware.graphics.extraPackages = [ pkgs.nvidia-vaapi-driver ];
    })

    (lib.mkIf (inForce "video.vdpau-bridges") {
      # Default: none. VA-API on top of VDPAU, and VDPAU on top of VA-API, in this order.
      hardware.graphics.extraPackages = map (name: pkgs.${name}) settings."video.vdpau-bridges".packages;
    })

    (lib.mkIf (inForce "video.variables") {
      # Default: unset. sessionVariables go to PAM, so to every session, and to shells;
      # environment.variables would reach shells alone.
      environment.sessionVariables = lib.mapAttrs (_: lib.mkDefault) settings."video.variables".variables;
    })

    (lib.mkIf (inForce "video.firefox" && firefox.enable) {
      programs.firefox.preferences = {
        # Default: decided by Firefox, which does not trust this driver.
        ${decoding} = lib.mkDefault true;
      } // lib.optionalAttrs (lib.elem gpu.architecture settings."video.firefox".withoutAv1) {
        # Default: true. This GPU cannot decode AV1; without it sites send VP9 or H.264, which it can.
        "media.av1.enabled" = lib.mkDefault false;
      };
    })
  ];
}
