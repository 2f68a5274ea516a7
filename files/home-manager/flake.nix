{
  description = "workspace-tuning, home-manager layer: extends the user's own home, which stays as it is";

  # A placeholder. Every call names the user's flake: --override-input base <ref> --no-write-lock-file
  inputs.base.url = "path:/etc/nixos";

  outputs = { self, base }:
    let
      profile = import ./lib/profile.nix ./profile.json;
      inherit (import ./lib/layer.nix { inherit base profile; }) pick;
      name = "${profile.user}@${profile.host}";
      userHome = pick "homeConfigurations" [ name profile.user ] "--override-input base";
      home = userHome.extendModules { modules = [ self.homeModules.default ]; };
      librariesWith = lib: import ./lib/libraries.nix { inherit lib profile; layer = "home"; };
      runtimesWith = lib: import ./lib/runtimes.nix { inherit lib profile; };
    in
    {
      homeConfigurations.${name} = home;

      # For those who import the layer in their own flake instead.
      homeModules.default = ./default.nix;
      overlays.default = final: prev:
        (librariesWith prev.lib).overlay final prev // (runtimesWith prev.lib).overlay final prev;
      hardwareProfiles.${profile.workspace} = profile.hardware;

      # Read by checks: nix eval --json .#report
      report = import ./lib/report.nix {
        inherit (home.pkgs) lib;
        libraries = librariesWith home.pkgs.lib;
        basePkgs = userHome.pkgs;
        inherit (home) pkgs;
        baseInstalled = userHome.config.home.packages;
        installed = home.config.home.packages;
        more.runtimes = (runtimesWith home.pkgs.lib).report home.pkgs;
      };
    };
}
