{
  description = "workspace-tuning, NixOS layer: extends the user's own system, which stays as it is";

  # A placeholder. Every call names the user's flake: --override-input base <ref> --no-write-lock-file
  inputs.base.url = "path:/etc/nixos";

  outputs = { self, base }:
    let
      profile = import ./lib/profile.nix ./profile.json;
      inherit (import ./lib/layer.nix { inherit base profile; }) pick extend;
      userSystem = pick "nixosConfigurations" [ profile.host ] "--override-input base";
      extended = extend userSystem self.nixosModules.default overlay;
      system = extended.configuration;
      librariesWith = lib: import ./lib/libraries.nix { inherit lib profile; layer = "system"; };
      overlay = final: prev: (librariesWith prev.lib).overlay final prev;
    in
    {
      nixosConfigurations.${profile.host} = system;

      # For those who import the layer in their own flake instead.
      nixosModules.default = ./default.nix;
      overlays.default = overlay;
      hardwareProfiles.${profile.workspace} = profile.hardware;

      # Read by checks: nix eval --json .#report
      report = import ./lib/report.nix {
        inherit (extended.pkgs) lib;
        libraries = librariesWith extended.pkgs.lib;
        inherit (extended) basePkgs pkgs;
        baseInstalled = userSystem.config.environment.systemPackages;
        installed = system.config.environment.systemPackages;
        more.march = extended.pkgs.stdenv.hostPlatform.gcc.arch or null;
        more.driver =
          if !(profile.settings ? "video.driver") then null
          else { inherit (system.config.hardware.nvidia.package) version; inherit (system.config.hardware.nvidia) open; };
      };
    };
}
