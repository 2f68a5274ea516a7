# Answers about a home without building it, for a home by itself and for a home in a system.
#
# Enters: the profile, the configurations of the home without the layer and with it (`config`), and their
# package sets. Leaves: `targets`, a line for each file that home-manager would make; `report` (lib/report.nix).
{ profile, base, home, basePkgs, pkgs }:
let
  inherit (pkgs) lib;
  runtimes = import ./lib/runtimes.nix { inherit lib profile; };
in
{
  targets = lib.concatMapStrings (file: "${file.target}\n")
    (builtins.filter (file: file.enable) (builtins.attrValues home.home.file));

  report = import ./lib/report.nix {
    inherit lib basePkgs pkgs;
    libraries = import ./lib/libraries.nix { inherit lib profile; layer = "home"; };
    baseInstalled = base.home.packages;
    installed = home.home.packages;
    adopts = package: runtimes.of package != null;
    more.runtimes = runtimes.report pkgs home.home.packages;
  };
}
