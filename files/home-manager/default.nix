# The home-manager layer: one module for each subject; all numbers come from profile.json; no Nix is
# generated.
#
# The argument has an unusual name, because the user's extraSpecialArgs win over _module.args: a common
# name could silently be another object. No `imports` uses the argument.
{
  imports = [
    ./lib/set.nix
    ./packageset.nix
    ./libraries.nix
    ./packages.nix
    ./runtimes.nix
    ./electron.nix
    ./monitoring.nix
    ./memory.nix
    ./variables.nix
    ./marker.nix
  ];

  _module.args.workspaceTuning = import ./lib/profile.nix ./profile.json;
}
