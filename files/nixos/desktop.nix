# Refuse a profile for X11 with a Plasma that has no X11 session any more. Profile: session
#
# Plasma 6.8 has no X11 session. A user who updates with a profile for X11 learns so before anything is
# built, and not at the next login.
{ config, lib, pkgs, workspaceTuning, ... }:
let
  inherit (workspaceTuning.hardware) session;
  plasma = config.services.desktopManager.plasma6.enable or false;
  inherit (pkgs.kdePackages.plasma-workspace) version;
in
{
  assertions = lib.optional (session.desktop == "plasma6" && session.type == "x11" && plasma) {
    # 6.7.80 is the first beta of 6.8, in nixpkgs since September 2026 (issue 561955).
    assertion = lib.versionOlder version "6.7.80";
    message = "workspace-tuning: this update brings Plasma ${version}, which has no X11 session, and the profile says session.type: x11. Nothing was built. Either stay on Plasma 6.7, which gets fixes for X11 until early 2027: keep the nixpkgs of flake.lock. Or log in to the Wayland session, see that it works, and write session.type: wayland in the profile: the settings for X11 (kwin.backend, kwin.buffer-swap, kwin.windows-block, video.vdpau) then no longer apply, all others stay.";
  };
}
