# The home, where home-manager is a module of this system: the home-manager layer of the profile's user is
# in ./home-manager, with a profile.json of its own. One generation has both.
{ config, lib, options, workspaceTuning, ... }:
let
  inherit (workspaceTuning) user;
  cfg = config.home-manager;
  closed = options.nixpkgs.hostPlatform.readOnly or false; # see libraries.nix
  profile = import ./lib/profile.nix ./home-manager/profile.json;
in
{
  config = lib.optionalAttrs (options ? home-manager) {
    home-manager.users.${user} = {
      imports = [ ./home-manager ];
      workspaceTuning.systemPackages = cfg.useGlobalPkgs;
    };
    # Default: the overlays of the system. A home with packages of its own has this one there.
    nixpkgs.overlays = lib.mkIf (cfg.useGlobalPkgs && !closed) [ (import ./home-manager/overlay.nix profile) ];

    # Default: absent. Checks and an undo find the home of a generation of the system by this link.
    environment.etc."workspace-tuning/home".source = cfg.users.${user}.home.activationPackage;

    assertions = [{
      assertion = !(cfg.startAsUserService or false);
      message = "workspace-tuning: home-manager.startAsUserService activates the home of ${user} at the next login, where nothing tells whether that went well. Switch it off, or leave the layer out: --data layers=nixos,plasma,session";
    }];
  };
}
