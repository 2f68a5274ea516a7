# The marker in the closure: a file by which a later run, or a person, sees which profile a generation
# was made from. A generation without it was switched to without the layer. `theirs` names the options of
# settings in force that hold what somebody else says (ours.nix).
{ profile, layer, strategy, theirs }:
builtins.toJSON {
  schemaVersion = 1;
  inherit layer strategy theirs;
  inherit (profile) workspace host user;
  profileSha256 = profile.sha256;
  settings = builtins.attrNames profile.settings;
}
