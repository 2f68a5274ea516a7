"""Fixtures for tests of the Nix layers: Nix, the miniature's sources, layers made for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import mkdtemp

import pytest

from converge.setting import Layer
from tests.nix import harness
from tests.nix.harness import Make, Nix


@pytest.fixture(scope="module")
def nix(tmp_path_factory: pytest.TempPathFactory) -> Nix:
    return Nix(tmp_path_factory.mktemp("nix"))


@pytest.fixture(scope="module")
def sources(nix: Nix) -> dict[str, Path]:
    return harness.sources(nix.directory / "sources")


@pytest.fixture
def layers(tmp_path: Path) -> Make:
    """Layers of a profile, with choices as ``harness.profile_data`` takes them; ``change`` alters
    the data of the NixOS layer first."""

    def make(
        change: Callable[[dict], object] = lambda data: None,
        profile: str = "shoshin",
        **choices: Iterable[str],
    ) -> Path:
        data = harness.profile_data(profile, **choices)
        change(data[Layer.NIXOS])
        return harness.make_layers(Path(mkdtemp(dir=tmp_path)) / "layers", data)

    return make
