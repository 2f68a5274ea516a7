{
  description = "workspace-tuning, NixOS layer: extends the user's own system, which stays as it is";

  # A placeholder. Every call names the user's flake: --override-input base <ref> --no-write-lock-file
  inputs.base.url = "path:/etc/nixos";

  outputs = { self, base }:
    let
      profile = import ./lib/profile.nix ./profile.json;
      inherit (import ./lib/layer.nix { inherit base profile; }) pick extend withHome;
      picked = pick "nixosConfigurations" [ profile.host ] "--override-input base";
      # Where home-manager is a module of the system, its layer is a directory of this one.
      homeProfile = import ./home-manager/lib/profile.nix ./home-manager/profile.json;
      holdsHome = builtins.pathExists ./home-manager/profile.json;
      userSystem = if holdsHome then withHome picked else picked;

      librariesWith = lib: import ./lib/libraries.nix { inherit lib profile; layer = "system"; };
      overlay = final: prev: (librariesWith prev.lib).overlay final prev;
      homeOverlay = import ./home-manager/overlay.nix homeProfile;
      # For a system that was handed its package set (lib/layer.nix), which a home can share.
      both =
        if holdsHome && userSystem.config.home-manager.useGlobalPkgs
        then final: prev: let one = overlay final prev; in one // homeOverlay final (prev // one)
        else overlay;
      extended = extend userSystem self.nixosModules.default both;
      system = extended.configuration;

      homeOf = configuration: configuration.config.home-manager.users.${profile.user};
      # A home without the layer does not show its package set.
      userHome = homeOf (userSystem.extendModules {
        modules = [{ home-manager.users.${profile.user} = ./home-manager/packageset.nix; }];
      });
      homePkgs =
        let own = (homeOf system).workspaceTuning.pkgs; in
        # A set from home-manager.extraSpecialArgs does not have the overlays of modules.
        if own ? optimized then own else own.extend homeOverlay;
    in
    {
      nixosConfigurations.${profile.host} = system;

      # For users who import the layer in their own flake.
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
    } // (if !holdsHome then { } else {
      # What the home-manager layer's own flake answers for a home by itself: .#home.report, and so on.
      home = { pkgs = homePkgs; } // import ./home-manager/answers.nix {
        profile = homeProfile;
        base = userHome;
        home = homeOf system;
        basePkgs = userHome.workspaceTuning.pkgs;
        pkgs = homePkgs;
      };
    });
}
