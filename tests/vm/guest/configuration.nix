# The system of the person whose machine this is. `planted.json` is what a test makes wrong with it.
{ host, ... }:
let
  planted = builtins.fromJSON (builtins.readFile ./planted.json);
in
{
  networking.hostName = host.host;
  system.stateVersion = "25.11";
  boot.loader.timeout = 1;
  # The second line is for a machine in software, which is slow.
  boot.kernelParams = [ "console=ttyS0" "loglevel=4" "net.ifnames=0" "systemd.show_status=0" ]
    ++ [ "mitigations=off" "no_timer_check" "tsc=unstable" "clocksource=acpi_pm" "audit=0" "cryptomgr.notests" "lsm=yama" "TERM=dumb" ]
    ++ planted.kernelParams;
  nix.settings = {
    build-users-group = "nixbld";
    experimental-features = "nix-command flakes";
    sandbox = false;
    substituters = [ ];
    warn-dirty = false;
  };
  miniature.machine = "/usr/lib/miniature";
  miniature.initrd = planted.initrd;
}
