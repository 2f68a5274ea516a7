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
    # Default: system.slice, with the weight of all services. As idle beside user.slice, builds yield.
    (lib.mkIf (inForce "build.idle") (ours "build.idle" {
      systemd.slices.${idle.name}.sliceConfig = idle.sliceLimits;
      systemd.services.nix-daemon.serviceConfig.Slice = "${idle.name}.slice";
    }))

    # Default: cache.nixos.org alone. No priority, so that the list is added to the user's.
    (lib.mkIf (inForce "build.cache") {
      nix.settings = {
        substituters = [ settings."build.cache".substituter ];
        trusted-public-keys = [ settings."build.cache".key ];
      };
    })
  ];
}
