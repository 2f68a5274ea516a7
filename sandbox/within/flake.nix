{
  description = "The user's own flake, with home-manager as a module of the system: never edited by the layers";

  # Two placeholders: directories of nixpkgs and home-manager, the miniatures or real checkouts.
  inputs.nixpkgs.url = "path:@NIXPKGS@";
  inputs.home-manager.url = "path:@HOME_MANAGER@";
  inputs.home-manager.inputs.nixpkgs.follows = "nixpkgs";

  outputs = { self, nixpkgs, home-manager }:
    let
      host = builtins.fromJSON (builtins.readFile ./host.json);
      # See the flake of sandbox/base, whose other files lie beside.
      miniature = source: values: if source ? miniature then [{ miniature = values; }] else [ ];
      real = source: if source ? miniature then [ ] else [ ./hardware.nix ];
    in
    {
      nixosConfigurations.${host.host} = nixpkgs.lib.nixosSystem {
        system = "x86_64-linux";
        specialArgs.host = host;
        modules = [
          ./configuration.nix
          ./within.nix
          home-manager.nixosModules.home-manager
          { home-manager.users.${host.user}.imports = [ ./home.nix ] ++ miniature home-manager { inherit (host) log; }; }
        ] ++ miniature nixpkgs { inherit (host) root log; } ++ real nixpkgs;
      };
    };
}
