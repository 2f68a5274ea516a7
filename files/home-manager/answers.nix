# Answers about a home without building it, for a home by itself and for a home in a system.
#
# Enters: the profile, the configurations of the home without the layer and with it (`config`), and their
# package sets. Leaves: `targets`, a line for each file that home-manager would make; `report` (lib/report.nix).
{ profile, base, home, basePkgs, pkgs }:
let
  inherit (pkgs) lib;
  runtimes = import ./lib/runtimes.nix { inherit lib profile; };

  # With "recursive", home-manager makes a directory with a link for each file of the source. The names of
  # those files are known where the source is a path, and Nix can tell its type (2.14 and newer). A source
  # that has to be built first is not looked into: the directory stands for them, with a "/" behind its name.
  targetsOf = file:
    if !(file.recursive or false) then [ file.target ]
    else if !(builtins ? readFileType && builtins.isPath file.source) then [ "${file.target}/" ]
    else if builtins.readFileType file.source != "directory" then [ file.target ]
    else map (name: "${file.target}/${name}") (filesBelow file.source);
  filesBelow = directory: lib.concatLists (lib.mapAttrsToList
    (name: type:
      if type == "directory" then map (below: "${name}/${below}") (filesBelow (directory + "/${name}"))
      else [ name ])
    (builtins.readDir directory));
in
{
  targets = lib.concatMapStrings (target: "${target}\n") (lib.concatMap targetsOf
    (builtins.filter (file: file.enable) (builtins.attrValues home.home.file)));

  report = import ./lib/report.nix {
    inherit lib basePkgs pkgs;
    libraries = import ./lib/libraries.nix { inherit lib profile; layer = "home"; };
    baseInstalled = base.home.packages;
    installed = home.home.packages;
    adopts = package: runtimes.of package != null;
    more.runtimes = runtimes.report pkgs home.home.packages;
  };
}
