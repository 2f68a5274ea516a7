# The marker in the closure: a file that tells a later run, or a person, which profile a generation was
# made from. A generation without a marker was made without the layer. `theirs` names the options of
# settings in force that somebody else defines (ours.nix).
{ profile, layer, strategy, theirs }:
builtins.toJSON {
  schemaVersion = 1;
  inherit layer strategy theirs;
  inherit (profile) workspace host user;
  profileSha256 = profile.sha256;
  settings = builtins.attrNames profile.settings;
}
