# Phase 1: which libraries, with which flags, by which strategy. Data in, data and one overlay out.
#
# Enters: `lib`, the profile, and the layer ("system" for NixOS, "home" for home-manager). Leaves:
#   packages    names of the layer's libraries, from the groups `libraries.group.<layer>.*` in force
#   install     packages whose commands are worth the flags, where the user has them
#   adopt       pkgs -> a package of the user's -> the same with the flags
#   copies      all names that get an optimized copy
#   strategy    overlay, march, graft, leaf, or none where no strategy is in force
#   flagsFor    name -> list of compiler flags
#   overlay     final: prev: the attributes of the strategy and `optimized`
{ lib, profile, layer }:
let
  inherit (profile) settings;
  inherit (profile.hardware.build) compiler;
  exceptions = import ./exceptions.nix;
  optimize = import ./optimize.nix { inherit lib; };
  inherit (import ./install.nix { inherit lib; }) inPlaceOf;

  inForce = id: settings ? ${id};
  own = lib.filter (id: lib.hasPrefix "libraries.group.${layer}." id) (lib.attrNames settings);
  gather = key: lib.unique (lib.concatMap (id: settings.${id}.${key} or [ ]) own);

  # Flags that need consent, each with the packages that it was given for.
  consented = lib.filter (id: lib.hasPrefix "libraries.flag." id) (lib.attrNames settings);
in
rec {
  packages = lib.optionals (strategy != "none") (gather "packages");
  # On other systems than NixOS, some commands would look for their configuration or certificates in
  # places that do not exist.
  install = lib.optionals (strategy != "none") (gather "install"
    ++ lib.optionals (profile.hardware.platform == "nixos") (gather "installOnNixos"));
  plain = lib.filter (name: !(exceptions.overlayOnly ? ${name})) packages;
  copies = lib.unique (plain ++ install);

  # At most one of the three is in force; the modules assert it. Copies go with each of them.
  heavy = lib.filter (name: inForce "libraries.${name}.${layer}") [ "overlay" "march" "graft" ];
  strategy =
    if heavy != [ ] then builtins.head heavy
    else if inForce "libraries.leaf.${layer}" then "leaf"
    else "none";
  grafted = settings."libraries.graft.${layer}".packages or [ ];
  # glibc needs a consent of its own to be in the overlay; its group does not bring it in.
  overlaid = lib.optionals (strategy == "overlay")
    (plain ++ lib.optionals (layer == "system") (settings."libraries.overlay.glibc".packages or [ ]));

  flagsFor = name:
    [ "-march=${compiler.march}" "-mtune=${compiler.mtune}" ]
    ++ lib.optional (!(exceptions.noOptimizationLevel ? ${name})) "-O${toString compiler.optimizationLevel}"
    ++ lib.optionals (!(exceptions.architectureOnly ? ${name}))
      (map (id: settings.${id}.flag) (lib.filter (id: lib.elem name settings.${id}.packages) consented));

  # mold is used for copies only, where the package set has one.
  linked = final: name: package:
    let mold = if final ? mold-unwrapped then final.mold else final.mold-wrapped; in
    if lib.elem name (settings."libraries.mold".packages or [ ]) then optimize.withMold mold package else package;

  optimized = name: package: optimize.mkOptimized (flagsFor name) package;

  # Whether a package of the user's, with any overrides, is the package of a name. A script or a join of
  # links with the same name compiles nothing, so flags would be in the derivation and nowhere else.
  is = pkgs: name: package:
    pkgs ? ${name} && package.stdenv.hasCC or true && lib.getName package == lib.getName pkgs.${name};
  # A package of the user's with the flags, if its commands gain from them: the same output, at the same
  # priority. A package that the user does not have is not installed.
  adopt = pkgs: package:
    let
      name = lib.findFirst (name: is pkgs name package) null install;
      whole = optimized name package;
      output = if package.outputSpecified or false then whole.${package.outputName} else whole;
    in
    if name == null || strategy == "overlay" || !(package ? overrideAttrs) then package
    else inPlaceOf package output;

  overlay = final: prev:
    let
      here = lib.filter (name: prev ? ${name});
      changed = lib.genAttrs (here overlaid) (name: optimized name prev.${name});
      copy = name: linked final name (optimized name prev.${name});
    in
    changed // {
      # New names: nothing that exists is rebuilt. Where the attribute itself is optimized, its copy is
      # the same package, so that a check asks in one place whatever the strategy is.
      optimized = (prev.optimized or { })
      // lib.genAttrs (here copies) (if strategy == "overlay" then name: final.${name} else copy)
      // lib.genAttrs (here overlaid) (name: final.${name});
    };
}
