"""The options that the layers set, as real releases have them: type, default, strength.

``python -m tests.nix.options`` records the answers of the checkouts that NIXPKGS_LIB (or NIXPKGS)
and HOME_MANAGER name, as ``<release>.json`` beside this file; the miniature has to give the same.
Where NIXPKGS names all of nixpkgs, it records its options of NixOS too, ``nixos-<release>.json``.
``nixos.json`` is what the manual of NixOS says of them, before 26.05: type and default of each.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from converge.setting import State
from converge.subjects.settings import ALL
from tests.nix import harness
from tests.nix.harness import Nix

HERE = Path(__file__).parent
#: release of ``lib`` -> the name of its record; the newest is not released yet.
RECORDS = {"25.11": "25.11", "26.05": "26.05", "26.11": "unstable"}
#: Options that the home layer sets without a record of its own (files/lib/ours.nix).
MORE = (
    *("assertions", "warnings", "nixpkgs.overlays", "home.packages", "home.extraProfileCommands"),
    *("home.activation", "home.file", "home.sessionVariablesExtra", "xdg.configFile"),
    *("systemd.user.systemctlPath", "programs.cargo.settings", "programs.cargo.enable"),
    *("programs.go.enable", "programs.go.env", "home.shellAliases"),
)
#: The same of the NixOS layer.
MORE_OF_NIXOS = (
    *("assertions", "warnings", "nixpkgs.overlays", "nixpkgs.hostPlatform", "boot.kernelParams"),
    *("environment.etc", "environment.systemPackages", "hardware.graphics.extraPackages"),
    *("hardware.nvidia.package", "services.udev.packages", "systemd.tmpfiles.rules"),
    *("system.replaceDependencies.replacements", "programs.firefox.preferences"),
)
#: Every setting that can be had, so that every option is asked about.
EVERY = tuple(
    setting.id
    for setting in ALL
    if setting.forcible and setting.state in (State.WITHHELD, State.OFFERED)
)


def answers(directory: Path, *, release: str = "", nixos: bool = False) -> dict[str, Any]:
    """Per option of the home what it is, by the checkouts that are named or by the miniature.

    ``nixos``: of the system instead."""
    nix = Nix(directory / "nix")
    nix.directory.mkdir(parents=True, exist_ok=True)
    layers = harness.make_layers(directory / "layers", harness.profile_data(include=EVERY))
    more = " ".join(json.dumps(one) for one in (MORE_OF_NIXOS if nixos else MORE))
    which = (
        "base = baseSystem; extended = system;" if nixos else "base = baseHome; extended = home;"
    )
    ask = f"import {harness.path(HERE / 'ask.nix')}"
    found: dict[str, Any] = nix.evaluate(
        f"({ask} {{ inherit lib; {which} more = [ {more} ]; }})",
        layers=layers,
        **({"release": json.dumps(release)} if release else {}),
        **harness.sources(directory / "sources"),
    )
    for one in found.values():
        if one and isinstance(one["default"], str):
            one["default"] = re.sub(r".*/store/[a-z0-9]{32}-", "store:", one["default"])
    return found


def main() -> None:
    """Record the answers of the checkouts that the environment names."""
    if not {"HOME_MANAGER"} & os.environ.keys():
        sys.exit("name checkouts: NIXPKGS_LIB (or NIXPKGS) and HOME_MANAGER")
    library = Path(os.environ.get("NIXPKGS_LIB") or os.environ["NIXPKGS"])
    release = (library / "lib/.version").read_text().strip()
    for nixos in (False, True):
        if nixos and "NIXPKGS" not in os.environ:
            continue
        with TemporaryDirectory() as directory:
            text = json.dumps(answers(Path(directory), nixos=nixos), indent=1, sort_keys=True)
        target = HERE / f"{'nixos-' if nixos else ''}{RECORDS[release]}.json"
        target.write_text(text + "\n")
        print(target)
