{
  description = "A miniature home-manager for tests: options, home-files and a working activate";

  outputs = { self, ... }: {
    miniature = true;
    lib.homeManagerConfiguration = import ./lib/eval-config.nix;
    nixosModules.home-manager = ./nixos;
  };
}
