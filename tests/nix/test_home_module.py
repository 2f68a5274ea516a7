"""home-manager as a module of NixOS, evaluated: on real releases where they are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nix import harness
from tests.nix.harness import Nix


@pytest.mark.parametrize(
    "within", ["useGlobalPkgs = true; useUserPackages = true;", "useUserPackages = true;", ""]
)
def test_a_home_within_has_the_files_and_values_of_the_same_home_by_itself(
    nix: Nix, tmp_path: Path, within: str
) -> None:
    """On the checkouts that are named: home-manager's own module of NixOS, its unit, its home."""
    layers = harness.make_layers(tmp_path / "layers", harness.profile_data(), within=True)
    alone = harness.make_layers(tmp_path / "alone", harness.profile_data())
    facts = """let target = ".config/workspace-tuning/home-manager.json"; in home: {
      targets = lib.attrNames (lib.filterAttrs (_: file: file.enable) home.home.file);
      inherit (home.home) shellAliases sessionVariablesExtra;
      variables = lib.mapAttrs (_: toString) home.home.sessionVariables;
      slices = home.systemd.user.slices;
      packages = map lib.getName home.home.packages;
      marker = (builtins.fromJSON home.home.file.${target}.text).settings;
    }"""
    sources = harness.sources(nix.directory / "sources")
    other = nix.evaluate(f"({facts}) home.config", layers=alone, **sources)
    found = nix.evaluate(
        f"""let own = systemWithin.config.home-manager.users.mitsio; in {{
          facts = ({facts}) own;
          failed = failed systemWithin.config;
          warnings = lib.filter (lib.hasInfix "nixpkgs.overlays") systemWithin.config.warnings;
          etc = "${{systemWithin.config.environment.etc."workspace-tuning/home".source}}";
          activated = "${{own.home.activationPackage}}";
          runs = systemWithin.config.systemd.services.home-manager-mitsio.serviceConfig.ExecStart;
          system = systemWithin.config.system.build.toplevel.drvPath;
          before = baseWithin.config.system.build.toplevel.drvPath;
          march = reportWithin.packages.zstd.found;
        }}""",
        layers=layers,
        within=f"{{ {within} }}",
        # Where the system makes the user's fonts known, home-manager leaves them to it.
        userSystem="{ fonts.fontconfig.enable = false; }",
        **sources,
    )
    assert found["failed"] == found["warnings"] == []
    assert found["etc"] == found["activated"]
    assert found["runs"].endswith(found["activated"])
    assert found["system"] != found["before"]
    assert "-march=skylake" in found["march"]
    assert found["facts"]["targets"]
    assert {key: one for key, one in found["facts"].items() if other[key] != one} == {}
