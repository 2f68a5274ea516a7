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
      overlay = import ./overlay.nix profile;
      extended = extend userHome self.homeModules.default overlay;
      home = extended.configuration;
      answers = import ./answers.nix {
        inherit profile;
        inherit (extended) basePkgs pkgs;
        base = userHome.config;
        home = home.config;
      };
    in
    {
      homeConfigurations.${name} = home;

      # For those who import the layer in their own flake instead.
      homeModules.default = ./default.nix;
      overlays.default = overlay;
      hardwareProfiles.${profile.workspace} = profile.hardware;

      # Read by a dry run (nix eval --raw .#targets), and by checks (nix eval --json .#report).
      inherit (answers) targets report;
    };
}
