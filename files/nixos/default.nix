# The NixOS layer: one module a subject, every number from profile.json, nothing generated.
#
# The argument's name is unusual on purpose: the user's specialArgs win over _module.args, so a common
# name could silently be somebody else's object. It is used in no `imports`.
{
  imports = [
    ./lib/set.nix
    ./libraries.nix
    ./video.nix
    ./desktop.nix
    ./memory.nix
    ./latency.nix
    ./storage.nix
    ./builds.nix
    ./marker.nix
  ]
  # Written beside only where home-manager is a module of this system (converge/plan/desired.py).
  ++ (if builtins.pathExists ./home-manager/profile.json then [ ./home.nix ] else [ ]);

  _module.args.workspaceTuning = import ./lib/profile.nix ./profile.json;
}
