{
  description = "The user's own flake, as a test workspace has it: never edited by the layers";

  # Two placeholders: directories of nixpkgs and home-manager, the miniatures or real checkouts.
  inputs.nixpkgs.url = "path:@NIXPKGS@";
  inputs.home-manager.url = "path:@HOME_MANAGER@";
  inputs.home-manager.inputs.nixpkgs.follows = "nixpkgs";

  outputs = { self, nixpkgs, home-manager }:
    let
      host = builtins.fromJSON (builtins.readFile ./host.json);
      # Where the miniatures' activation writes. Real module lists do not know these options; a real
      # system wants to know its disk and boot loader instead.
      miniature = source: values: if source ? miniature then [{ miniature = values; }] else [ ];
      real = source: if source ? miniature then [ ] else [ ./hardware.nix ];
    in
    {
      nixosConfigurations.${host.host} = nixpkgs.lib.nixosSystem {
        system = "x86_64-linux";
        specialArgs.host = host;
        modules = [ ./configuration.nix ] ++ miniature nixpkgs { inherit (host) root log; } ++ real nixpkgs;
      };
      homeConfigurations."${host.user}@${host.host}" = home-manager.lib.homeManagerConfiguration {
        pkgs = import nixpkgs { system = "x86_64-linux"; config.allowUnfree = true; };
        extraSpecialArgs.host = host;
        modules = [ ./home.nix ] ++ miniature home-manager { inherit (host) log; };
      };
    };
}
