"""Each workspace's own profile builds in every phase, and gives what applies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from converge.setting import Layer, Phase
from converge.subjects.settings import ALL
from tests.nix import harness
from tests.nix.harness import Nix

NIX_ROWS = [row for row in ALL if row.layer in harness.LAYERS]


@pytest.mark.parametrize(
    "profile", ["shoshin", "kinoite", "gyakusatsu", "akane", "tsubame", "suzume"]
)
def test_every_phase_builds_with_the_profile_of_the_workspace(
    nix: Nix, tmp_path: Path, profile: str
) -> None:
    base = harness.make_base(tmp_path / "base")
    made = harness.make_layers(tmp_path / "layers", harness.profile_data(profile))
    over = ("--override-input", "base", f"path:{base}")
    home = 'homeConfigurations."mitsio@shoshin".activationPackage'
    generation = nix.build(f"path:{made}/home-manager#{home}", *over)
    assert (generation / "activate").exists()
    if profile not in {"kinoite", "gyakusatsu"}:
        system = "nixosConfigurations.shoshin.config.system.build.toplevel"
        toplevel = nix.build(f"path:{made}/nixos#{system}", *over)
        assert (toplevel / "bin/switch-to-configuration").exists()


@pytest.mark.parametrize("profile", ["kinoite", "gyakusatsu"])
def test_a_workspace_without_nixos_has_no_setting_of_that_layer(profile: str) -> None:
    settings = harness.settings_in_force(profile)[Layer.NIXOS]
    assert settings == {}


@pytest.mark.parametrize("profile", ["kinoite", "gyakusatsu", "akane", "suzume"])
def test_a_workspace_without_an_nvidia_gpu_hears_nothing_of_one(profile: str) -> None:
    text = str(harness.settings_in_force(profile, include=["electron.video-decoding"])).lower()
    assert "nvidia" not in text.replace("nvidia-smi", "")  # sysmon asks it where it is there
    assert "nvd_backend" not in text


@pytest.mark.parametrize("profile", ["kinoite", "gyakusatsu"])
def test_flags_are_those_of_the_workspaces_own_march(
    nix: Nix, tmp_path: Path, profile: str
) -> None:
    made = harness.make_layers(tmp_path / "layers", harness.profile_data(profile))
    sources = harness.sources(nix.directory / "sources")
    found = nix.evaluate("report.home.packages.zstd", layers=made, **sources)
    assert found["found"] == ["-march=x86-64-v3", "-mtune=generic", "-O3"]


@pytest.mark.parametrize("phase", list(Phase))
def test_one_phase_alone_evaluates(nix: Nix, tmp_path: Path, phase: Phase) -> None:
    """A staged rollout has a profile with only the rows of the phases so far."""
    data = harness.profile_data()
    rows = {row.id for row in ALL if row.phase is phase}
    for one in data.values():
        one["settings"] = {id: value for id, value in one["settings"].items() if id in rows}
    made = harness.make_layers(tmp_path / "layers", data)
    found = nix.evaluate(
        """{
          system = system.config.system.build.toplevel.drvPath;
          home = home.activationPackage.drvPath;
        }""",
        layers=made,
        **harness.sources(nix.directory / "sources"),
    )
    assert found["system"].endswith(".drv")
    assert found["home"].endswith(".drv")


def test_everything_that_can_be_forced_evaluates_together(nix: Nix, tmp_path: Path) -> None:
    """Every row of the Nix layers that a user may include, but one strategy that rebuilds."""
    others = {"libraries.graft.system", "libraries.march.system", "libraries.march.feature"}
    wanted = [row.id for row in NIX_ROWS if row.forcible and row.id not in others]
    made = harness.make_layers(
        tmp_path / "layers", harness.profile_data(accept=wanted, include=wanted)
    )
    sources = harness.sources(nix.directory / "sources")
    found = nix.evaluate(
        "{ home = home.activationPackage.drvPath; system = failed system.config; }",
        layers=made,
        **sources,
    )
    assert found["system"] == []


def test_every_row_in_force_changes_the_layer_that_it_names(nix: Nix, tmp_path: Path) -> None:
    """Left out one by one, each row of the Nix layers gives a different generation.

    Rows whose value is what the release does anyway change nothing; they are named here.
    """
    same_as_default = {
        "video.modesetting",  # on in every driver since 535
        "boot.menu",  # what NixOS does, unless the user lowered it
    }
    data = harness.profile_data()
    facts = """let facts = c: builtins.hashString "sha256" (builtins.toJSON (
        if c.config ? home then [
          (map toString c.config.home.packages) c.config.home.shellAliases
          c.config.home.sessionVariables c.config.home.sessionVariablesExtra
          c.config.systemd.user.slices
          (lib.mapAttrs (_: file: toString file.source) c.config.xdg.configFile)
          (lib.mapAttrs (_: file: file.text)
            (removeAttrs c.config.home.file [ ".config/workspace-tuning/home-manager.json" ]))
          (lib.mapAttrs (_: package: package.drvPath) c.pkgs.optimized)
        ] else [
          (map toString c.config.environment.systemPackages)
          c.config.environment.sessionVariables c.config.zramSwap c.config.boot.kernel.sysctl
          c.config.systemd.slices c.config.systemd.user.slices
          (map toString c.config.services.udev.packages) c.config.nix.settings
          c.config.boot.loader.timeout c.config.hardware.graphics.enable
          c.config.hardware.nvidia.modesetting c.config.hardware.nvidia.open
          (map toString c.config.hardware.graphics.extraPackages)
          c.config.programs.firefox.preferences
          (lib.mapAttrs (_: package: package.drvPath) c.pkgs.optimized)
        ])); in facts """
    firefox = "{ programs.firefox.enable = true; }"
    full = harness.make_layers(tmp_path / "full", data)
    unchanged = set()
    for layer, key in ((Layer.NIXOS, "system"), (Layer.HOME_MANAGER, "home")):
        whole = nix.evaluate(facts + key, layers=full, userSystem=firefox)
        for row in ALL:
            if row.layer is not layer or row.id not in data[layer]["settings"]:
                continue
            less = {one: {**content} for one, content in data.items()}
            less[layer]["settings"] = {
                id: value for id, value in data[layer]["settings"].items() if id != row.id
            }
            made = harness.make_layers(tmp_path / row.id, less)
            if nix.evaluate(facts + key, layers=made, userSystem=firefox) == whole:
                unchanged.add(row.id)
    assert unchanged == same_as_default
