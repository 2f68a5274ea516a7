# The attributes that the home-manager layer adds to a package set. Enters: the profile. Leaves: an overlay.
profile: final: prev:
let
  libraries = import ./lib/libraries.nix { inherit (prev) lib; inherit profile; layer = "home"; };
  runtimes = import ./lib/runtimes.nix { inherit (prev) lib; inherit profile; };
in
libraries.overlay final prev // runtimes.overlay final prev
