# Phase 5, graphics driver and video decoding. Settings: video.*
#
# The driver's branch follows from the GPU's generation. Since 26.05 the default branch (595) ignores
# Maxwell, Pascal and Volta: the machine comes up without a display.
{ config, lib, options, pkgs, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (workspaceTuning.hardware) gpu;
  inForce = id: settings ? ${id};
  inherit (import ./lib/ours.nix { inherit lib; }) ours;

  driver = settings."video.driver";
  last = driver.lastBranch.${gpu.architecture} or null;
  branches = config.boot.kernelPackages.nvidiaPackages;
  # A release in which that branch is still the current one has no attribute `legacy_<branch>`.
  legacy = "legacy_${toString last}";
  branch = if last != null && branches ? ${legacy} then legacy else "production";
  version = config.hardware.nvidia.package.version;
  kernel = lib.versions.majorMinor config.boot.kernelPackages.kernel.version;

  inherit (settings."video.variables" or { variables = { }; }) variables;

  firefox = config.programs.firefox;
  # The preference that turns decoding on was renamed.
  decoding =
    if lib.versionAtLeast (lib.getVersion firefox.package) "137" then "media.hardware-video-decoding.force-enabled"
    else "media.ffmpeg.vaapi.enabled";
in
{
  config = lib.mkMerge [
    (lib.mkIf (inForce "video.driver") (ours "video.driver" {
      # Default: modesetting and fbdev. Nothing of hardware.nvidia acts without this.
      services.xserver.videoDrivers = [ "nvidia" ];
      hardware.nvidia = {
        # Default: null, which stops evaluation from 560 on. Open kernel modules start with Turing.
        open = lib.elem gpu.architecture driver.openFrom;
      }
      # Default: the newest production branch, whether it knows this GPU or not. Since 26.05 the branch has
      # an option of its own, and `package` follows it: a branch that the user chose stays theirs.
      // (if options.hardware.nvidia ? branch then { inherit branch; } else { package = branches.${branch}; });
    }))
    (lib.mkIf (inForce "video.driver") {
      assertions = lib.optional (last != null) {
        assertion = lib.versionOlder version (toString (last + 1));
        message = "workspace-tuning: the NVIDIA driver ${version} ignores ${gpu.model} (${gpu.architecture}): the last branch that drives it is ${toString last}. Set ${
          if options.hardware.nvidia ? branch
          then "hardware.nvidia.branch to \"${legacy}\", and no hardware.nvidia.package"
          else "hardware.nvidia.package to config.boot.kernelPackages.nvidiaPackages.${legacy}"
        }.";
      };
      warnings = lib.optional (last != null && lib.versionOlder driver.kernelTested kernel)
        "workspace-tuning: Linux ${kernel} is newer than ${driver.kernelTested}, the newest that branch ${toString last} of the NVIDIA driver is known to build with: keep boot.kernelPackages at a long-term kernel.";
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
      # Default: added by hardware.nvidia.videoAcceleration in current releases; a second mention is
      # harmless.
      hardware.graphics.extraPackages = [ pkgs.nvidia-vaapi-driver ];
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
        (name: lib.optionalString (!(config.environment.sessionVariables ? ${name}))
          "${name} DEFAULT=\"${config.environment.variables.${name}}\"\n")
        (lib.attrNames variables);
    })

    (lib.mkIf (inForce "video.firefox" && firefox.enable) (ours "video.firefox" {
      programs.firefox.preferences = {
        # Default: decided by Firefox, which does not trust this driver.
        ${decoding} = true;
      } // lib.optionalAttrs (lib.elem gpu.architecture settings."video.firefox".withoutAv1) {
        # Default: true. This GPU cannot decode AV1; without it sites send VP9 or H.264, which it can.
        "media.av1.enabled" = false;
      };
    }))
  ];
}
