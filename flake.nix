{
  description = "workspace-tuning: tunes a workspace from one hardware profile, proves each effect, undoes each byte";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};

      # The release that tasks/run/run.py is measured on; the hash is that of uv.lock.
      pyinfra = packages: packages.buildPythonPackage {
        pname = "pyinfra";
        version = "3.10.0";
        format = "wheel";
        src = packages.fetchPypi {
          pname = "pyinfra";
          version = "3.10.0";
          format = "wheel";
          dist = "py3";
          python = "py3";
          sha256 = "668268db8df54c23a1e684d260121a6e23330c942f60048138597303227e48fb";
        };
        dontCheckRuntimeDeps = true;
        dependencies = [
          packages.click
          packages.distro
          packages.gevent
          packages.jinja2
          packages.packaging
          packages.paramiko
          packages.pydantic
          packages.python-dateutil
          packages.typeguard
        ];
      };
      needed = packages: [
        (pyinfra packages)
        packages.configobj
        packages.jinja2
        packages.jsonschema
        packages.paramiko
        packages.pyyaml
      ];
      python = pkgs.python3.withPackages needed;
      # As the installed project does (workspace_start.pth): ours begins before pyinfra's own start.
      deploy = pkgs.writeShellScriptBin "workspace-tuning" ''
        [ -f deploy.py ] && [ -f workspace_start.py ] || {
          echo "not here: start it in a checkout of workspace-tuning; nothing was touched" >&2
          exit 5
        }
        exec ${python}/bin/python3 -c '
        import sys
        import workspace_start
        sys.argv[0] = "pyinfra"
        sys.orig_argv[1:] = ["pyinfra", *sys.argv[1:]]
        workspace_start.install()
        from pyinfra_cli.main import main
        sys.exit(main())
        ' "$@"
      '';

      # A layer's modules for a configuration of your own. They read the profile.json that a run writes.
      module = directory: { lib, config, ... }: {
        inherit (import directory) imports;
        options.workspaceTuning.profile = lib.mkOption {
          type = lib.types.path;
          description = "The profile.json of this layer, as a run of workspace-tuning wrote it.";
        };
        config._module.args.workspaceTuning = import ./files/lib/profile.nix config.workspaceTuning.profile;
      };
    in
    {
      nixosModules.default = module ./files/nixos;
      homeModules.default = module ./files/home-manager;

      # nix run . -- inventory/shoshin.py deploy.py --dry
      apps.${system}.default = {
        type = "app";
        program = "${deploy}/bin/workspace-tuning";
      };

      devShells.${system}.default = pkgs.mkShell {
        packages = [
          (pkgs.python3.withPackages (packages: needed packages ++ [
            packages.hypothesis
            packages.mypy
            packages.pytest
            packages.pytest-xdist
            packages.types-pyyaml
          ]))
          pkgs.chezmoi
          pkgs.git
          pkgs.gnumake
          pkgs.nixpkgs-fmt
          pkgs.ruff
          pkgs.shellcheck
          pkgs.uv
        ];
      };
    };
}
