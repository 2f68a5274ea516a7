# Report what the evaluated derivations say about every optimized package, without building.
#
# Enters: the user's package set and the layer's, the packages that the user installs before and after,
# what libraries.nix gives, which packages other settings adopt, and further facts of the layer. Leaves:
# per package the flags wanted, found, kept (those the package sets itself) and lost, those of its links,
# and whether the user's attribute of that name changed; the names of the user's own packages that the
# layer rebuilds and no setting adopts; the further facts.
{ lib, libraries, basePkgs, pkgs, baseInstalled, installed, adopts ? (_: false), more ? { } }:
let
  words = value: lib.filter (word: word != "")
    (if builtins.isList value then map toString value else lib.splitString " " (toString value));
  flagsOf = package: words (package.NIX_CFLAGS_COMPILE or "");

  describe = name:
    let
      package = pkgs.optimized.${name};
      found = flagsOf package;
      kept = flagsOf basePkgs.${name};
      wanted = libraries.flagsFor name;
    in
    {
      inherit wanted found kept;
      missing = lib.subtractLists found wanted;
      lost = lib.subtractLists found kept;
      link = words (package.NIX_CFLAGS_LINK or "");
      drvPath = builtins.unsafeDiscardStringContext package.drvPath;
      attributeRebuilt = pkgs.${name}.drvPath != basePkgs.${name}.drvPath;
    };
  named = lib.unique (libraries.copies ++ libraries.overlaid);
  # Names whose commands the user has -> the derivations that stand for them with the flags.
  adopted = lib.filterAttrs (_: found: found != [ ]) (lib.genAttrs libraries.install (name:
    map (package: builtins.unsafeDiscardStringContext package.drvPath)
      (lib.filter (libraries.is basePkgs name) installed)));
  drvPaths = map (package: package.drvPath) installed;
  present = lib.filter (name: pkgs.optimized ? ${name}) named;
in
more // {
  inherit (libraries) strategy;
  inherit adopted;
  packages = lib.genAttrs present describe;
  # Files that home-manager writes count among its packages; they have no version.
  rebuilt = lib.unique (map lib.getName (lib.filter
    (package: package.version or "" != "" && !(lib.elem package.drvPath drvPaths)
    && !(adopts package) && (libraries.strategy == "overlay" || !lib.any (name: libraries.is basePkgs name package) (lib.attrNames adopted)))
    baseInstalled));
  absent = lib.subtractLists present named;
}
