{
  description = "workspace-tuning, NixOS layer: extends the user's own system, which stays as it is";

  # A placeholder. Every call names the user's flake: --override-input base <ref> --no-write-lock-file
  inputs.base.url = "path:/etc/nixos";

  outputs = { self, base }:
    let
      profile = import ./lib/profile.nix ./profile.json;
      inherit (import ./lib/layer.nix { inherit base profile; }) pick;
      userSystem = pick "nixosConfigurations" [ profile.host ] "--override-input base";
      system = userSystem.extendModules { modules = [ self.nixosModules.default ]; };
      librariesWith = lib: import ./lib/libraries.nix { inherit lib profile; layer = "system"; };
    in
    {
      nixosConfigurations.${profile.host} = system;

      # For those who import the layer in their own flake instead.
      nixosModules.default = ./default.nix;
      overlays.default = final: prev: (librariesWith prev.lib).overlay final prev;
      hardwareProfiles.${profile.workspace} = profile.hardware;

      # Read by checks: nix eval --json .#report
      report = import ./lib/report.nix {
        inherit (system.pkgs) lib;
        libraries = librariesWith system.pkgs.lib;
        basePkgs = userSystem.pkgs;
        inherit (system) pkgs;
        baseInstalled = userSystem.config.environment.systemPackages;
        installed = system.config.environment.systemPackages;
        more.march = system.pkgs.stdenv.hostPlatform.gcc.arch or null;
        more.driver =
          if !(profile.settings ? "video.driver") then null
          else { inherit (system.config.hardware.nvidia.package) version; inherit (system.config.hardware.nvidia) open; };
      };
    };
}
