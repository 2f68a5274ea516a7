# Read profile.json, and refuse values that Nix would silently read as something else.
#
# Enters: the path of profile.json. Leaves: the profile as an attribute set, plus `sha256`, the hash
# of its bytes. The schema has checked the file long before. Checked here again is what JSON and Nix
# read differently (3.0 is a float in Nix and would become "-O3.000000"), and what would make a build
# impure (the compiler wrapper lets a march of "native" pass).
path:
let
  say = problem: throw "workspace-tuning: ${toString path}: ${problem}";

  text =
    if builtins.pathExists path then builtins.readFile path
    else say "the file is missing. It belongs beside flake.nix; a run of deploy.py writes it.";
  profile = builtins.fromJSON text;

  have = attribute: set: where:
    if set ? ${attribute} then set.${attribute} else say "${where}${attribute} is missing.";
  compiler = have "compiler" (have "build" (have "hardware" profile "") "hardware.") "hardware.build.";

  architecture = name: value:
    builtins.isString value && builtins.match "[a-z0-9-]+" value != null && value != "native"
    || say "hardware.build.compiler.${name} is ${builtins.toJSON value}: a name that GCC knows is needed, and never \"native\", which makes a build depend on the machine it runs on.";
  level = value:
    builtins.isInt value && builtins.elem value [ 2 3 ]
    || say "hardware.build.compiler.optimizationLevel is ${builtins.toJSON value}: the integer 2 or 3 is needed.";
in
assert (have "schemaVersion" profile "") == 1
  || say "schemaVersion is ${builtins.toJSON profile.schemaVersion}, and this layer reads version 1. Update the layer and the profile together.";
assert architecture "march" (have "march" compiler "hardware.build.compiler.");
assert architecture "mtune" (have "mtune" compiler "hardware.build.compiler.");
assert level (have "optimizationLevel" compiler "hardware.build.compiler.");
assert builtins.isAttrs (have "settings" profile "") || say "settings is not an object.";
{
  inherit (profile) workspace host user hardware settings;
  sha256 = builtins.hashString "sha256" text;
}
