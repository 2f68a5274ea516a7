# Rows beyond the plan, each only where it was asked for: builds beside a desktop. Settings: build.idle,
# build.cache (build.parallelism is in storage.nix).
{ lib, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (import ./lib/ours.nix { inherit lib; }) ours;
  inForce = id: settings ? ${id};
  idle = settings."build.idle";
in
{
  config = lib.mkMerge [
    # Default: system.slice, with the weight of all services. Beside user.slice, as idle: the desktop first.
    (lib.mkIf (inForce "build.idle") (ours "build.idle" {
      systemd.slices.${idle.name}.sliceConfig = idle.sliceLimits;
      systemd.services.nix-daemon.serviceConfig.Slice = "${idle.name}.slice";
    }))

    # Default: cache.nixos.org alone. Lists are added to, so without a priority.
    (lib.mkIf (inForce "build.cache") {
      nix.settings = {
        substituters = [ settings."build.cache".substituter ];
        trusted-public-keys = [ settings."build.cache".key ];
      };
    })
  ];
}
