# The home-manager layer: one module a subject, every number from profile.json, nothing generated.
#
# The argument's name is unusual on purpose: the user's extraSpecialArgs win over _module.args, so a
# common name could silently be somebody else's object. It is used in no `imports`.
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
