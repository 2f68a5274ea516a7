# The package set of the MINIATURE nixpkgs. Enters: what `import <nixpkgs>` takes. Leaves: `pkgs`.
#
# Its shape is nixpkgs' own where the layers can tell the difference: overlays reach every stage,
# the final stdenv is built from packages of the set, `override` and `overrideAttrs` exist,
# `pkgs.path` can be imported again, unfree packages refuse to evaluate unless they are allowed.
{ overlays ? [ ]
, config ? { }
, system ? "x86_64-linux"
, localSystem ? { inherit system; }
, crossSystem ? null
, lib ? import ./lib
  # Which release's attributes the set has: "25.11", "26.05" or "26.11".
, release ? lib.trivial.release
, ...
}:
let
  # The real library knows every predicate of a platform; the miniature has those that are asked.
  elaborate = lib.systems.elaborate or (wanted: {
    isLinux = true;
    isDarwin = false;
    isx86_64 = true;
    extensions.sharedLibrary = ".so";
  } // wanted);
  hostPlatform = elaborate ({ system = localSystem.system or system; }
    // lib.optionalAttrs (localSystem ? gcc) { inherit (localSystem) gcc; });
  settled = { allowUnfree = false; allowUnfreePredicate = _: false; } // config;

  base = final: _: {
    _type = "pkgs";
    inherit lib release overlays system;
    config = settled;
    path = ./.;
    callPackage = lib.callPackageWith final;
    newScope = extra: lib.callPackageWith (final // extra);
    buildPackages = final;
    appendOverlays = extra: if extra == [ ] then final else again { overlays = overlays ++ extra; };
    extend = overlay: final.appendOverlays [ overlay ];
  };
  again = changes: import ./. ({ inherit config localSystem lib release overlays; } // changes);
in
lib.fix (lib.foldl' (lib.flip lib.extends) (_: { }) ([
  base
  (import ./pkgs/stdenv.nix { inherit lib hostPlatform; config = settled; })
  (import ./pkgs/builders.nix)
  (import ./pkgs/libraries.nix)
  (import ./pkgs/runtimes.nix)
  (import ./pkgs/programs.nix)
] ++ overlays))
