"""Each option that the layers set is the same in the miniature and in three real home-managers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.nix import harness, options
from tests.nix.harness import Nix

#: Where the miniature is simpler on purpose: option -> what may differ, and why that tells no lie.
SIMPLER = {
    "home.activation": {"type", "priority"},  # an order of entries; the layer adds one of its own
    "systemd.user.slices": {"type"},  # sections of a unit; the layer writes strings and true
    "programs.go.env": {"type", "priority"},  # further names of the release's own beside it
    "systemd.user.systemctlPath": {"default"},  # a program of the test machine
    # Joined by everybody who says something: the real home says things of its own there.
    **{one: {"priority"} for one in ("assertions", "warnings", "home.extraProfileCommands")},
}


def recorded(release: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((options.HERE / f"{release}.json").read_text())
    return found


@pytest.mark.parametrize("release", options.RECORDS)
def test_every_option_that_the_home_layer_sets_is_what_it_really_is(
    release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NIXPKGS", "NIXPKGS_LIB", "HOME_MANAGER"):
        monkeypatch.delenv(name, raising=False)
    real, found = (
        recorded(options.RECORDS[release]),
        options.answers(tmp_path, release=release),
    )
    assert found.keys() == real.keys()
    for name, one in real.items():
        own = found[name]
        assert (one is None) == (own is None), name
        for key in (one or {}).keys() - SIMPLER.get(name, set()):
            assert own[key] == one[key], f"{name}: {key}"


def test_every_option_that_the_nixos_layer_sets_is_what_the_manual_of_nixos_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Type and default, by the manual before 26.05; whole releases where they are recorded."""
    for name in ("NIXPKGS", "NIXPKGS_LIB", "HOME_MANAGER"):
        monkeypatch.delenv(name, raising=False)
    real = recorded("nixos")
    found = options.answers(tmp_path, release="25.11", nixos=True)
    for name, one in real.items():
        assert {key: found[name][key] for key in one} == one, name
    # What the manual gives in another form or place: sets of units and files, and what joins all.
    assert found.keys() - real.keys() == {
        *("assertions", "warnings", "environment.etc"),
        *("hardware.block.defaultScheduler", "hardware.block.defaultSchedulerRotational"),
        *("systemd.services", "systemd.slices"),
    }


def test_a_branch_of_the_driver_is_an_option_from_26_05_on(tmp_path: Path) -> None:
    for release, has in (("25.11", False), ("26.05", True)):
        found = options.answers(tmp_path / release, release=release, nixos=True)
        assert ("hardware.nvidia.branch" in found) is has


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("boot.kernelParams", '[ "quiet splash" ]'),
        ("boot.kernel.sysctl", '{ "vm.swappiness" = [ 1 ]; }'),
        ("services.scx.scheduler", '"lavd"'),
        ("zramSwap.memoryPercent", "0"),
        ("environment.variables", "{ A = true; }"),
        ("nix.settings", "{ max-jobs = { }; }"),
    ],
)
def test_the_miniature_refuses_a_value_that_nixos_refuses(
    tmp_path: Path, option: str, value: str
) -> None:
    nix = Nix(tmp_path / "nix")
    ask = f"attempt baseSystem.config.{option}"
    sources = harness.sources(tmp_path / "sources")
    own = f"{{ {option} = {value}; }}"
    assert nix.evaluate(ask, layers="null", userSystem=own, **sources) is None


def test_no_option_is_set_that_a_release_does_not_have_but_for_cargos() -> None:
    """The layer asks whether it is there (files/home-manager/runtimes.nix)."""
    lacking = {
        release: {name for name, one in recorded(record).items() if one is None}
        for release, record in options.RECORDS.items()
    }
    assert lacking == {"25.11": {"programs"}, "26.05": set(), "26.11": set()}


def test_the_record_is_what_the_named_release_answers(tmp_path: Path) -> None:
    """With NIXPKGS_LIB (or NIXPKGS) and HOME_MANAGER; the miniature stands for itself elsewhere."""
    library = os.environ.get("NIXPKGS_LIB") or os.environ.get("NIXPKGS")
    found = options.answers(tmp_path)
    if library is None or "HOME_MANAGER" not in os.environ:
        assert found == options.answers(tmp_path / "again", release="26.05")
        return
    release = (Path(library) / "lib/.version").read_text().strip()
    assert found == recorded(options.RECORDS[release])
