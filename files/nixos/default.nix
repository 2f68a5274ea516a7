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
  ];

  _module.args.workspaceTuning = import ./lib/profile.nix ./profile.json;
}
