# Both layers over a user's configuration, without flakes: one evaluation, many answers.
#
# Enters: directories of the layers and of the checkouts, a release of the miniature, and modules that
# stand for what a user wrote. Leaves: the user's own system and home, and those that the layers make.
{ layers
, nixpkgs ? ../../sandbox/nixpkgs
, homeManager ? ../../sandbox/home-manager
, base ? ../../sandbox/base
, release ? null
, userSystem ? { }
, userHome ? { }
, within ? { useGlobalPkgs = true; useUserPackages = true; }
, config ? { allowUnfree = true; }
, host ? builtins.fromJSON (builtins.readFile (base + "/host.json"))
}:
let
  released = if release == null then { } else { inherit release; };
  miniature = builtins.pathExists (nixpkgs + "/nixos/toplevel.nix");
  pkgs = import nixpkgs ({ system = "x86_64-linux"; inherit config; } // released);
  inherit (pkgs) lib;
in
rec {
  inherit lib pkgs layers;

  baseSystem = import (nixpkgs + "/nixos/lib/eval-config.nix") ({
    system = "x86_64-linux";
    specialArgs = { inherit host; };
    modules = [ (base + "/configuration.nix") userSystem ]
      ++ lib.optional (!miniature) (base + "/hardware.nix");
  } // released);
  baseHome = (import (homeManager + "/lib") { inherit lib; }).homeManagerConfiguration {
    inherit pkgs;
    extraSpecialArgs = { inherit host; };
    modules = [ (base + "/home.nix") userHome ];
  };
  system = baseSystem.extendModules { modules = [ (layers + "/nixos") ]; };
  home = baseHome.extendModules { modules = [ (layers + "/home-manager") ]; };

  # The home as a part of the system, by home-manager as a module of it.
  baseWithin = import (nixpkgs + "/nixos/lib/eval-config.nix") ({
    system = "x86_64-linux";
    specialArgs = { inherit host; };
    modules = [
      (base + "/configuration.nix")
      (homeManager + "/nixos")
      {
        users.users.${host.user} = { inherit (host) home; } // lib.optionalAttrs (!miniature) { isNormalUser = true; };
        home-manager = within // {
          extraSpecialArgs = { inherit host; };
          users.${host.user}.imports = [ (base + "/home.nix") userHome ];
        };
      }
      userSystem
    ] ++ lib.optional (!miniature) (base + "/hardware.nix");
  } // released);
  systemWithin = baseWithin.extendModules { modules = [ (layers + "/nixos") ]; };

  # Exactly what a layer's flake calls `report`.
  report = {
    nixos = reportOf "nixos" { nixosConfigurations.${host.host} = baseSystem; };
    home = reportOf "home-manager" { homeConfigurations."${host.user}@${host.host}" = baseHome; };
  };
  # That of the home-manager layer within the NixOS layer, where it lies there.
  reportWithin = (outputs "nixos" { nixosConfigurations.${host.host} = baseWithin; }).home.report;
  reportOf = layer: baseFlake: (outputs layer baseFlake).report;
  outputs = layer: baseFlake:
    let
      flake = import (layers + "/${layer}/flake.nix");
      module = layers + "/${layer}";
      self = { nixosModules.default = module; homeModules.default = module; };
    in
    flake.outputs { inherit self; base = baseFlake; };

  failed = config: map (assertion: assertion.message) (lib.filter (assertion: !assertion.assertion) config.assertions);
  # A value, or null where evaluating it throws.
  attempt = value:
    let tried = builtins.tryEval (builtins.deepSeq value value); in
    if tried.success then tried.value else null;
}
