"""The unit that activates a home within a system, by the name that nixpkgs gives it for a user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.nix import harness
from tests.nix.harness import Nix
from tests.remote.reading import Reader
from tests.tools import need

#: As ``utils.escapeSystemdPath`` of nixpkgs 26.05 writes them.
NAMES = {
    "mitsio": "mitsio",
    "anna-maria.b": r"anna\x2dmaria.b",
    ".hidden": r"\x2ehidden",
    "anna@example.org": r"anna\x40example.org",
    "CORP\\anna+x": r"CORP\x5canna\x2bx",
    "host$": r"host\x24",
}


@pytest.mark.parametrize("user", NAMES)
def test_a_home_within_a_system_is_found_whatever_its_user_is_called(
    tmp_path: Path, user: str
) -> None:
    reader = Reader(tmp_path / "root")
    units = reader.root / "etc/systemd/system"
    units.mkdir(parents=True)
    (reader.root / "etc/NIXOS").touch()
    tools = tmp_path / "tools"
    tools.mkdir()
    named = f"if [ \"$1\" = -un ]; then printf '%s\\n' '{user}'; else exec {need('id')} \"$@\"; fi"
    (tools / "id").write_text(f"#!/bin/sh\n{named}\n")
    (tools / "id").chmod(0o755)
    reader.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
    (units / "home-manager-somebody.service").touch()
    assert "home_module" not in reader.read().marks
    (units / f"home-manager-{NAMES[user]}.service").touch()
    assert "home_module" in reader.read().marks


def test_the_miniature_names_such_a_unit_as_nixpkgs_does(tmp_path: Path) -> None:
    nix = Nix(tmp_path)
    names = " ".join(f"''{name}''" for name in NAMES)
    found = nix.evaluate(
        "let inherit (baseSystem._module.specialArgs) utils; in"
        f" map utils.escapeSystemdPath [ {names} ]",
        layers="null",
        **harness.sources(tmp_path / "sources"),
    )
    assert found == list(NAMES.values())
