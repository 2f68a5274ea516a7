{
  description = "workspace-tuning, home-manager layer: extends the user's own home, which stays as it is";

  # A placeholder. Every call names the user's flake: --override-input base <ref> --no-write-lock-file
  inputs.base.url = "path:/etc/nixos";

  outputs = { self, base }:
    let
      profile = import ./lib/profile.nix ./profile.json;
      inherit (import ./lib/layer.nix { inherit base profile; }) pick extend;
      name = "${profile.user}@${profile.host}";
      userHome = pick "homeConfigurations" [ name profile.user ] "--override-input base";
      extended = extend userHome self.homeModules.default overlay;
      home = extended.configuration;
      librariesWith = lib: import ./lib/libraries.nix { inherit lib profile; layer = "home"; };
      runtimesWith = lib: import ./lib/runtimes.nix { inherit lib profile; };
      overlay = final: prev:
        (librariesWith prev.lib).overlay final prev // (runtimesWith prev.lib).overlay final prev;
    in
    {
      homeConfigurations.${name} = home;

      # For those who import the layer in their own flake instead.
      homeModules.default = ./default.nix;
      overlays.default = overlay;
      hardwareProfiles.${profile.workspace} = profile.hardware;

      # Read by a dry run: nix eval --raw .#targets, a line for each file that home-manager would make.
      targets = extended.pkgs.lib.concatMapStrings (file: "${file.target}\n")
        (builtins.filter (file: file.enable) (builtins.attrValues home.config.home.file));

      # Read by checks: nix eval --json .#report
      report = import ./lib/report.nix {
        inherit (extended.pkgs) lib;
        libraries = librariesWith extended.pkgs.lib;
        inherit (extended) basePkgs pkgs;
        baseInstalled = userHome.config.home.packages;
        installed = home.config.home.packages;
        adopts = package: (runtimesWith extended.pkgs.lib).of package != null;
        more.runtimes = (runtimesWith extended.pkgs.lib).report extended.pkgs home.config.home.packages;
      };
    };
}
