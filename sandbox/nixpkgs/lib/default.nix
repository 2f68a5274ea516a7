# The library of a MINIATURE nixpkgs: small, offline, for tests only.
#
# It has the names of nixpkgs' `lib` that the layers, the miniature package set and the miniature
# module lists use, with the same meaning, and nothing else. Where a test run is given the real
# library (NIXPKGS_LIB), this directory is the one that is replaced.
let
  lib =
    import ./basics.nix
    // import ./packages.nix { inherit lib; }
    // import ./modules.nix { inherit lib; }
    // {
      types = import ./types.nix { inherit lib; };
      inherit (import ./types.nix { inherit lib; }) mkOptionType;
      # What `lib.trivial.release` says decides which attributes the miniature package set has.
      trivial = { release = "26.05"; };
    };
in
lib
