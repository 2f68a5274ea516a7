# The NixOS layer: one module for each subject; all numbers come from profile.json; no Nix is generated.
#
# The argument has an unusual name, because the user's specialArgs win over _module.args: a common name
# could silently be another object. No `imports` uses the argument.
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
  # This directory exists only where home-manager is a module of this system (converge/plan/desired.py).
  ++ (if builtins.pathExists ./home-manager/profile.json then [ ./home.nix ] else [ ]);

  _module.args.workspaceTuning = import ./lib/profile.nix ./profile.json;
}
