"""Real nix for tests: a store of its own, layer directories made from ``files/``, evaluations.

In: a hardware profile and which settings a user accepted, included or excluded. Out: values that
real nix evaluated, and paths that it built. Nothing outside the given directory is written, no
daemon is asked and no network is used, whoever runs the tests.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converge.plan.standing import standings
from converge.profile.profile import load_profile
from converge.setting import Layer, Phase
from converge.subjects.settings import ALL
from tests.tools import need

PROJECT = Path(__file__).parents[2]
HERE = Path(__file__).parent
#: What stands in for nixpkgs and home-manager where no checkout is named.
MINIATURE = PROJECT / "sandbox"
LAYERS = {Layer.NIXOS: "nixos", Layer.HOME_MANAGER: "home-manager"}
#: How a test makes layers (``tests/nix/conftest.py``).
Make = Callable[..., Path]


class NixError(AssertionError):
    """nix refused; the text is what it printed."""


@dataclass(frozen=True)
class Nix:
    """nix with everything of its own below ``directory``."""

    directory: Path
    user: Iterable[str] = field(default=(), repr=False)  # how to become somebody else: ("sudo", …)

    @property
    def environment(self) -> dict[str, str]:
        own = self.directory
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("NIX_")},
            "HOME": str(own / "home"),
            "XDG_CACHE_HOME": str(own / "cache"),
            "XDG_CONFIG_HOME": str(own / "home/.config"),
            "XDG_STATE_HOME": str(own / "home/.local/state"),
            "NIX_REMOTE": "local",
            "NIX_STORE_DIR": str(own / "store"),
            "NIX_STATE_DIR": str(own / "state"),
            "NIX_LOG_DIR": str(own / "log"),
            "NIX_CONF_DIR": str(own / "etc"),
            "NIX_CONFIG": "\n".join(
                [
                    "experimental-features = nix-command flakes",
                    "substituters =",
                    "sandbox = false",
                    "build-users-group =",
                    "warn-dirty = false",
                ]
            ),
        }

    def run(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        (self.directory / "home").mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            [*self.user, *map(str, command)],
            env={**self.environment, **more},
            cwd=self.directory,
            capture_output=True,
            text=True,
        )

    def must(self, *command: str | Path, **more: str) -> str:
        done = self.run(*command, **more)
        if done.returncode:
            raise NixError(done.stderr)
        return done.stdout

    def evaluate(self, expression: str, /, **arguments: str | Path) -> Any:
        """A value in the scope of evaluate.nix. Arguments are Nix expressions, paths, or names."""
        given = "".join(
            f"{name} = {value if isinstance(value, str) else path(value)};"
            for name, value in arguments.items()
        )
        text = f"with import {path(HERE / 'evaluate.nix')} {{ {given} }}; {expression}"
        return json.loads(
            self.must(need("nix-instantiate"), "--eval", "--strict", "--json", "-E", text)
        )

    def build(self, installable: str, *more: str) -> Path:
        """Store path of a built flake output."""
        command = (need("nix"), "build", "--no-link", "--json", "--no-write-lock-file")
        result = json.loads(self.must(*command, installable, *more))
        return Path(result[0]["outputs"]["out"])

    def to_build(self, installable: str, *more: str) -> list[str]:
        """Names of the derivations that a build would build, by a dry run."""
        command = (need("nix"), "build", "--dry-run", "--no-write-lock-file")
        done = self.run(*command, installable, *more)
        if done.returncode:
            raise NixError(done.stderr)
        lines = [line.strip() for line in done.stderr.splitlines()]
        return [Path(line).name[33:-4] for line in lines if line.endswith(".drv")]


def path(place: Path) -> str:
    """A Nix expression for a path, whatever characters it has."""
    return f"(/. + {json.dumps(str(place))})"


def sources(directory: Path, *, build: bool = False) -> dict[str, Path]:
    """The nixpkgs and home-manager that evaluations use: arguments of ``Nix.evaluate``.

    The miniatures, unless the environment names checkouts: NIXPKGS and HOME_MANAGER, or NIXPKGS_LIB
    for nixpkgs' ``lib`` alone, which then replaces the miniature's own below ``directory``. What
    home-manager builds needs real packages: with ``lib`` alone, ``build`` takes the miniature.
    """
    named = {key: Path(text) for key in _CHECKOUTS if (text := os.environ.get(key))}
    found = {"nixpkgs": MINIATURE / "nixpkgs", "homeManager": MINIATURE / "home-manager"}
    if "NIXPKGS" in named:
        found["nixpkgs"] = named["NIXPKGS"]
    elif "NIXPKGS_LIB" in named:
        found["nixpkgs"] = directory / "nixpkgs"
        if not found["nixpkgs"].exists():
            shutil.copytree(MINIATURE / "nixpkgs", found["nixpkgs"], ignore=_top_level_lib)
            shutil.copytree(named["NIXPKGS_LIB"] / "lib", found["nixpkgs"] / "lib")
    if "HOME_MANAGER" in named:
        if len(named) == 1:
            raise ValueError("HOME_MANAGER needs the real lib: name NIXPKGS or NIXPKGS_LIB too")
        if "NIXPKGS" in named or not build:
            found["homeManager"] = named["HOME_MANAGER"]
    return found


_CHECKOUTS = ("NIXPKGS", "NIXPKGS_LIB", "HOME_MANAGER")


def _top_level_lib(directory: str, names: list[str]) -> list[str]:
    return ["lib"] if Path(directory) == MINIATURE / "nixpkgs" else []


def settings_in_force(
    profile: str = "shoshin",
    *,
    accept: Iterable[str] = (),
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> dict[Layer, dict[str, object]]:
    """Layer -> the settings that its profile.json holds."""
    hardware = load_profile(PROJECT / f"inventory/hardware/{profile}.yaml")
    found = standings(
        ALL,
        facts=hardware.facts,
        not_applicable={} if hardware.platform == "nixos" else {Layer.NIXOS: hardware.platform},
        phases=frozenset(Phase),
        layers=frozenset(Layer),
        accept=frozenset(accept),
        include=frozenset(include),
        exclude=frozenset(exclude),
    )
    return {
        layer: {
            one.setting.id: one.setting.value
            for one in found
            if one.in_force and one.setting.layer in {layer, Layer.SESSION}
        }
        for layer in LAYERS
    }


def profile_data(profile: str = "shoshin", **choices: Iterable[str]) -> dict[Layer, dict[str, Any]]:
    """Layer -> what its profile.json says."""
    hardware = load_profile(PROJECT / f"inventory/hardware/{profile}.yaml").raw
    return {
        layer: {
            "schemaVersion": 1,
            "workspace": profile,
            "host": "shoshin",
            "user": "mitsio",
            "hardware": json.loads(json.dumps(hardware)),
            "settings": copy.deepcopy(settings),
        }
        for layer, settings in settings_in_force(profile, **choices).items()
    }


def make_layers(
    directory: Path, data: Mapping[Layer, Mapping[str, Any]], *, within: bool = False
) -> Path:
    """``directory`` with both layer directories, as they lie on a workspace; ``within``: that of
    the home in that of the system."""
    for layer, name in LAYERS.items():
        target = directory / name
        if within and layer is Layer.HOME_MANAGER:
            target = directory / "nixos" / name
        shutil.copytree(PROJECT / "files" / name, target, ignore=shutil.ignore_patterns("lib"))
        shutil.copytree(PROJECT / "files/lib", target / "lib")
        text = json.dumps(data[layer], indent=2, sort_keys=True) + "\n"
        (target / "profile.json").write_text(text)
    return directory


#: Settings of the other phases that change a system; without them a dry run shows libraries alone.
NOT_LIBRARIES = tuple(
    setting.id for setting in ALL if setting.phase is not Phase.LIBRARIES and setting.forcible
)


def miniature(layers: Path, **more: str) -> str:
    """A Nix expression: what evaluate.nix leaves, on the miniatures."""
    given = "".join(f" {name} = {value};" for name, value in more.items())
    return f"(import {path(HERE / 'evaluate.nix')} {{ layers = {path(layers)};{given} }})"


def make_base(
    directory: Path,
    *,
    host: str = "shoshin",
    user: str = "mitsio",
    home: Path | None = None,
    root: Path | None = None,
    copied: bool = False,
    within: bool = False,
) -> Path:
    """A user's flake in ``directory``, on the miniatures or on the checkouts that are named.

    ``within``: the home is a part of the system. ``copied``: with the miniatures beside it, for a
    user who may not read this project.
    """
    used = sources(directory.parent / "sources", build=True)
    if copied:
        for name, place in used.items():
            if place.is_relative_to(MINIATURE):
                used[name] = shutil.copytree(place, directory.parent / "sources" / name)
    inputs = {"@NIXPKGS@": used["nixpkgs"], "@HOME_MANAGER@": used["homeManager"]}
    directory.mkdir(parents=True)
    parts = ("base", "within") if within else ("base",)
    for source in (one for part in parts for one in sorted((MINIATURE / part).glob("*.nix"))):
        text = source.read_text()
        for mark, place in inputs.items():
            text = text.replace(mark, str(place))
        (directory / source.name).write_text(text)
    names = {
        "host": host,
        "user": user,
        "home": str(home or f"/home/{user}"),
        "root": str(root) if root else None,
        "log": None,
    }
    (directory / "host.json").write_text(json.dumps(names))
    return directory
