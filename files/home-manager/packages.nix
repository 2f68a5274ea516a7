# The packages of the home: the user's own packages get their flags in place.
#
# Settings: libraries.group.home.*, runtimes.{python,node,go,rust.programs}; electron.app.* that are
# included by name (`install`).
{ lib, pkgs, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  libraries = import ./lib/libraries.nix { inherit lib; profile = workspaceTuning; layer = "home"; };
  runtimes = import ./lib/runtimes.nix { inherit lib; profile = workspaceTuning; };
  install = import ./lib/install.nix { inherit lib; };

  asked = lib.filter (id: lib.hasPrefix "electron.app." id && settings.${id}.install or false) (lib.attrNames settings);
  attributeOf = id: lib.findFirst (name: pkgs ? ${name}) null settings.${id}.attributes;
  applications = own: map (id: install.behind pkgs.${attributeOf id}) (lib.filter
    (id: attributeOf id != null && !(lib.any (has pkgs.${attributeOf id}) own))
    asked);
  has = wanted: package: builtins.isAttrs package && lib.getName package == lib.getName wanted;
in
{
  # Default: the user's packages. Only packages that were asked for by name are added; they yield to other
  # packages with the same commands.
  options.home.packages = lib.mkOption {
    apply = own: map (package: runtimes.adopt (libraries.adopt pkgs package)) own
      ++ runtimes.missing pkgs own ++ applications own;
  };
  config.warnings = runtimes.lacking pkgs
    ++ map (id: "workspace-tuning: this nixpkgs has none of ${toString settings.${id}.attributes}: ${id} is not installed, and its limits are for one from elsewhere.")
    (lib.filter (id: attributeOf id == null) asked);
}
