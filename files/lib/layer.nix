# The functions of both layers' flakes: find the user's configuration, and extend it.
#
# Enters: the evaluated flake `base`, the profile. Leaves: functions, whose errors name what exists.
{ base, profile }:
let
  quoted = names: builtins.concatStringsSep ", " (map builtins.toJSON names);
in
{
  # The first of `names` in base.<kind>, or in base.legacyPackages.<system>.<kind> and
  # base.packages.<system>.<kind>, where flake-utils and flake-parts put configurations.
  pick = kind: names: option:
    let
      at = place: base.${place}.${profile.hardware.system or "x86_64-linux"}.${kind} or { };
      offered = (base.${kind} or { }) // at "legacyPackages" // at "packages";
      found = builtins.filter (name: offered ? ${name}) names;
      exist = builtins.attrNames offered;
      system = base.nixosConfigurations.${profile.host} or { };
      module = kind == "homeConfigurations" && system ? options && system.options ? home-manager;
    in
    if found != [ ] then offered.${builtins.head found}
    else
      throw ("workspace-tuning: the flake given as `base` has no ${kind}.${quoted names}. "
        + (if module then
        "It has home-manager as a module of nixosConfigurations.\"${profile.host}\", and the NixOS layer extends that: "
          + "switch to that system once, and let base_home name a place without a flake."
      else if exist == [ ] then "It has no ${kind} at all: is ${option} set to the right flake?"
      else "It has ${quoted exist}: set the workspace's host and user to one of them."));

  # A system with the home of the profile's user, by home-manager as a module; throws without it.
  withHome = system:
    let users = system.config.home-manager.users; in
    if !(system.options ? home-manager) then
      throw
        ("workspace-tuning: nixosConfigurations.\"${profile.host}\" has no home-manager as a module, although the "
          + "running system activates a home by it. Switch to your flake first, or leave the home out: "
          + "--data layers=nixos,plasma,session")
    else if !(users ? ${profile.user}) then
      throw
        ("workspace-tuning: nixosConfigurations.\"${profile.host}\" has no home-manager.users.${profile.user}. It has "
          + "${quoted (builtins.attrNames users)}: set the workspace's user to one of them, or leave the home out: "
          + "--data layers=nixos,plasma,session")
    else system;

  # The configuration with one more module, and the package sets without it and with it.
  #
  # `pkgs` among the user's specialArgs wins over the one that options make, and a system with nixpkgs'
  # module readOnlyPkgs takes no overlay: the layer hands over the same set with its own overlay.
  extend = configuration: module: overlay:
    let
      given = configuration._module.specialArgs or { };
      handed = given ? pkgs;
      closed = configuration.options.nixpkgs.hostPlatform.readOnly or false;
      basePkgs = if handed then given.pkgs else configuration.pkgs;
      pkgs =
        if basePkgs ? extend then basePkgs.extend overlay
        else
          throw ("workspace-tuning: your configuration hands over `pkgs` in specialArgs, and that set has "
            + "no `extend`. Hand over the set that `import nixpkgs` gives, or leave `pkgs` out of specialArgs.");
      ours = { lib, ... }: { nixpkgs.pkgs = lib.mkForce pkgs; };
      extended = configuration.extendModules {
        modules = [ module ] ++ (if closed then [ ours ] else [ ]);
        specialArgs = if handed then { inherit pkgs; } else { };
      };
    in
    {
      configuration = extended;
      inherit basePkgs;
      pkgs = if handed then pkgs else extended.pkgs;
    };
}
