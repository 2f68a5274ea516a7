# The marker in the closure: a file by which a later run, or a person, sees which profile a generation
# was made from. A generation without it was switched to without the layer.
{ profile, layer, strategy }:
builtins.toJSON {
  schemaVersion = 1;
  inherit layer strategy;
  inherit (profile) workspace host user;
  profileSha256 = profile.sha256;
  settings = builtins.attrNames profile.settings;
}
