{
  description = "A miniature nixpkgs for tests: small, offline, built with /bin/sh alone";

  outputs = { self }: {
    miniature = true;
    lib = import ./lib // {
      # As in nixpkgs: returns the evaluated configuration with `pkgs` and `extendModules`.
      nixosSystem = arguments: import ./nixos/lib/eval-config.nix ({ lib = self.lib; } // arguments);
    };
    nixosModules.readOnlyPkgs = ./nixos/modules/misc/nixpkgs/read-only.nix;
    legacyPackages.x86_64-linux = import ./. { system = "x86_64-linux"; };
  };
}
