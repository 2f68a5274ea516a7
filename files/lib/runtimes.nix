# Phase 2: language runtimes. The user's own runtimes get the flags in place, in any version and with any
# overrides. A runtime that the user does not have is installed only where its setting is included by name.
#
# New attributes are for settings included by name, and for benchmarks. An overlay on the existing names
# would rebuild all packages that use them (Python alone: 403 of 952 packages in a nixpkgs-like tree).
#
# Enters: `lib`, the profile. Leaves:
#   of        a package -> python, node, go or rust, where it is one that a setting in force changes
#   adopt     a package of the user's -> the same with the optimization of its setting
#   missing   pkgs -> the user's packages -> what is installed because it was asked for by name
#   lacking   pkgs -> messages about attributes that this nixpkgs does not have
#   overlay   final: prev: python313Optimized, nodejs-slim_24Optimized, nodejs_24Optimized, goOptimized
#   report    pkgs -> the user's packages -> per runtime what was adopted, and what stays as it is
{ lib, profile }:
let
  inherit (profile) settings;
  inherit (profile.hardware) build;
  optimize = import ./optimize.nix { inherit lib; };
  install = import ./install.nix { inherit lib; };

  # An attribute can exist and only throw the message that it was removed.
  usable = pkgs: name: pkgs ? ${name} && (builtins.tryEval (pkgs.${name}.name or "")).success;
  flags = [
    "-march=${build.compiler.march}"
    "-mtune=${build.compiler.mtune}"
    "-O${toString build.compiler.optimizationLevel}"
  ];
  inForce = id: settings ? ${id};
  runtimes = lib.filter (runtime: inForce "runtimes.${runtime}") [ "python" "node" "go" ];
  programs = settings."runtimes.rust.programs".packages or [ ];
  nameOf = package: if builtins.isAttrs package then lib.getName package else "";
  takes = package: argument: (package.override.__functionArgs or { }) ? ${argument};

  # The runtime that a package is, whether or not it can be changed: an environment with modules is
  # Python too, but it is made for one interpreter and takes no other.
  kind = package:
    if !(builtins.isAttrs package) then null
    else if package ? pythonAttr then "python"
    else if lib.elem (nameOf package) [ "nodejs" "nodejs-slim" ] then "node"
    else if nameOf package == "go" then "go"
    else if lib.elem (nameOf package) programs then "rust"
    else null;
  changeable = package: {
    python = takes package "enableOptimizations";
    # A join of links has to be made anew, around another compiled part.
    node = nameOf package == "nodejs-slim" && package ? overrideAttrs || package ? override;
    go = package ? overrideAttrs;
    rust = package ? overrideAttrs;
  }.${kind package};

  # Profile-guided optimization is one argument; link-time optimization is on already. With it the build is
  # not reproducible, which the argument next to it has to admit. `self` keeps `.withPackages` on this one.
  python = package: more:
    let
      made = package.override ({
        enableOptimizations = true;
        reproducibleBuild = false;
        self = made;
      } // more);
    in
    made;
  # Since 26.05 `nodejs` only joins links around `nodejs-slim`, where the compiled code is. The join hands
  # on what its compiled part has in `passthru`: there the flags of that derivation can be read.
  node = package:
    if takes package "nodejs-slim" then
      package.override
        (old:
          let slim = compiled old.nodejs-slim; in
          { nodejs-slim = slim // { passthru = slim.passthru or { } // { compiledFlags = slim.NIX_CFLAGS_COMPILE; }; }; })
    else compiled package;
  compiled = optimize.mkOptimized flags;
  # A toolchain built at this level makes programs of this level unless it is told otherwise.
  go = optimize.mkOptimizedGo build.goamd64;
  rust = optimize.mkOptimizedRust build.rustTargetCpu;

  make = package: {
    python = python package { };
    node = node package;
    go = go package;
    rust = rust package;
  }.${kind package};
in
rec {
  of = package:
    let found = kind package; in
    if found != null && lib.elem found (runtimes ++ [ "rust" ]) && changeable package then found else null;
  adopt = package: if of package == null then package else install.inPlaceOf package (make package);

  # For settings included by name: the attributes, best first, and the first that this nixpkgs has.
  asked = lib.filterAttrs (_: names: names != [ ]) (lib.genAttrs runtimes (runtime:
    lib.optionals (settings."runtimes.${runtime}".install or false) settings."runtimes.${runtime}".attributes));
  chosen = pkgs: lib.mapAttrs (_: lib.findFirst (usable pkgs) null) asked;
  missing = pkgs: own:
    let
      has = what: lib.any (package: kind package == what) own;
      absent = lib.filter (name: usable pkgs name && !(lib.any (package: nameOf package == lib.getName pkgs.${name}) own));
    in
    map (name: install.behind (make pkgs.${name}))
      (lib.attrValues (lib.filterAttrs (runtime: name: name != null && !(has runtime)) (chosen pkgs)) ++ absent programs);
  lacking = pkgs:
    let release = lib.trivial.release or "this release"; in
    lib.concatLists (lib.mapAttrsToList
      (runtime: names:
        let first = builtins.head names; got = (chosen pkgs).${runtime}; in
        if got == first then [ ]
        else if got == null then [ "workspace-tuning: nixpkgs ${release} has none of ${toString names}: runtimes.${runtime} is left out." ]
        else [ "workspace-tuning: nixpkgs ${release} has no ${first}: ${got} ${pkgs.${got}.version} is used instead." ])
      asked);

  overlay = final: prev:
    # The names of the overlay must not depend on the set itself, or evaluation never ends.
    let
      first = runtime:
        let names = settings."runtimes.${runtime}".attributes; in
        lib.findFirst (usable prev) (throw "this nixpkgs has none of ${toString names}") names;
      having = runtime: lib.elem runtime runtimes;
    in
    lib.optionalAttrs (having "python")
      {
        # `pythonAttr` is where the modules' own builds look the interpreter up.
        python313Optimized = python prev.${first "python"} { self = final.python313Optimized; pythonAttr = "python313Optimized"; };
      }
    // lib.optionalAttrs (having "node") {
      nodejs-slim_24Optimized = compiled prev.nodejs-slim_24;
      nodejs_24Optimized = node prev.${first "node"};
    }
    // lib.optionalAttrs (having "go") { goOptimized = go prev.${first "go"}; }
    // lib.optionalAttrs (programs != [ ]) {
      optimizedRust = lib.genAttrs (lib.filter (name: prev ? ${name}) programs) (name: rust prev.${name});
    };

  # For checks: what the evaluated derivations say, without building. `own`: the packages of the home
  # with the layer, where adopted packages are remade already.
  report = pkgs: own: lib.genAttrs runtimes (runtime:
    let these = lib.filter (package: kind package == runtime) own; in
    {
      adopted = map
        (package: {
          inherit (package) version;
          drvPath = builtins.unsafeDiscardStringContext package.drvPath;
          flags = toString (package.compiledFlags or package.NIX_CFLAGS_COMPILE or "");
          goamd64 = package.GOAMD64 or null;
          profileGuided = lib.elem "--enable-optimizations" (package.configureFlags or [ ]);
        })
        (lib.filter changeable these);
      left = map (package: package.name) (lib.filter (package: !(changeable package)) these);
      lacking = asked ? ${runtime} && (chosen pkgs).${runtime} == null;
    });
}
