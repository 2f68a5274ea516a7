"""What a workspace's inventory file and ``--data`` ask for: host data goes in, checked choices out.

pyinfra hands over ``--data`` values half parsed: ``phases=1`` arrives as a number, ``phases=1,4``
as text, ``phases=[1,4]`` as a list. All three are understood. Everything else is as strict as a
profile, because these values become paths, unit names and Nix attributes.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from converge.problem import (
    InvalidInput,
    NodePath,
    Problem,
    did_you_mean,
    hidden_characters,
    show_path,
    shown,
)
from converge.profile.schema import schema_problems
from converge.setting import Layer, Phase

__all__ = ["Choices", "InvalidInput", "check_choices", "fleet_problems"]

SCHEMA = "workspace"
_FLAKES = ("base_nixos_with", "base_home_with")
_LISTS = ("phases", "layers", "accept", "include", "exclude", "against", *_FLAKES)
_SETTINGS = ("accept", "include", "exclude")
_PATHS = ("profile", "root", "base_nixos", "base_home", "write")
_LONGEST_TEXT = 4096


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The choices of one workspace. An empty text means: not given."""

    workspace: str
    profile: str  # relative to the project
    user: str
    host: str  # attribute name in the user's flakes
    root: str = ""  # prefix of absolute paths, in a sandbox
    base_nixos: str = "/etc/nixos"
    base_home: str = "~/.config/home-manager"
    base_nixos_with: frozenset[str] = frozenset()  # how the flake is read: submodules, impure, …
    base_home_with: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()  # the keys that the inventory or --data give
    phases: frozenset[Phase] = frozenset(Phase)
    layers: frozenset[Layer] = frozenset(Layer)
    accept: frozenset[str] = frozenset()
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    plan: str = ""
    prefer: str = ""  # live or source: whose entry stays where both sides of chezmoi changed it
    chezmoi_programs: str = "left"  # what chezmoi would run to answer: left alone, or run
    rollout: str = "all"
    soak_hours: int = 48
    deadline_s: int = 300
    build_on: str = ""
    canary: str = ""
    run: str = ""
    setting: str = ""
    build_limit_s: int = 21_600
    write: str = ""
    trial: str = "on"  # whether a change that needs a reboot is booted once before it is kept
    trial_confirm: str = "proof"  # who keeps it: proof, person or both
    trial_session_s: int = 900  # for the desktop session after that boot
    trial_answer_s: int = 300  # for a person's answer
    answer: str = "keep"  # of tasks/confirm.py
    trial_reboot: str = "asked"  # whether the machine may be rebooted for it: asked or allowed
    choose: str = ""  # what tasks/measure.py tries and proposes a value for
    zram_algorithm: str = ""  # in place of the profile's: what was measured to be better here
    against: frozenset[str] = frozenset()  # INPUT=REFERENCE, or a reference for nixpkgs

    @property
    def flakes(self) -> tuple[str, str, str, str]:
        """What ``remote/flakes.sh`` reads: for each of the user's flakes where and how."""
        return (
            *(self.base_nixos, ",".join(sorted(self.base_nixos_with))),
            *(self.base_home, ",".join(sorted(self.base_home_with))),
        )


@dataclass
class _HostData:
    """Where host data comes from: no file to point into, so the inventory's host is named."""

    name: str
    damaged: set[NodePath] = field(default_factory=set)

    def problem(
        self,
        path: NodePath,
        message: str,
        hint: str,
        *,
        at_key: bool = False,
        rank: int = 0,
    ) -> Problem:
        file = f"inventory host {shown(self.name)}"
        return Problem(file, 0, 0, show_path(path), message, hint, rank)

    def is_damaged(self, path: NodePath) -> bool:
        return any(path[:length] in self.damaged for length in range(len(path) + 1))


def check_choices(
    name: str, data: Mapping[str, object], *, known_settings: Collection[str]
) -> Choices:
    """Check the host data of pyinfra's host ``name``.

    ``known_settings`` are the ids that ``accept``, ``include`` and ``exclude`` may name. Raises
    InvalidInput with everything that is wrong.
    """
    source = _HostData(name)
    given = {key: _normal(key, value) for key, value in data.items() if not _is_pyinfras(key)}
    problems = [*_unfit_texts(given, source)]
    problems += schema_problems(SCHEMA, given, source)
    problems += _unknown_settings(given, source, known_settings)
    if problems:
        raise InvalidInput(problems)
    return _choices(given)


def fleet_problems(choices: Mapping[str, Choices]) -> tuple[Problem, ...]:
    """Return what is wrong between the hosts of one run: ``choices`` by pyinfra's host name."""
    found: list[Problem] = []
    names: dict[str, str] = {}
    for name, one in choices.items():
        source = _HostData(name)
        if one.workspace in names:
            found.append(
                source.problem(
                    ("workspace",),
                    f"{one.workspace} is also the workspace of host {names[one.workspace]}",
                    "give each host its own workspace",
                )
            )
        names.setdefault(one.workspace, name)
    for name, one in choices.items():
        if one.canary and one.canary not in names:
            found.append(
                _HostData(name).problem(
                    ("canary",),
                    f"{one.canary} is not a workspace of this run",
                    did_you_mean(one.canary, names, f"name one of {', '.join(names)}"),
                )
            )
        elif one.canary and choices[names[one.canary]].canary not in ("", one.canary):
            found.append(
                _HostData(name).problem(
                    ("canary",),
                    f"{one.canary} itself waits for {choices[names[one.canary]].canary}",
                    "name one canary for all: --data canary=...",
                )
            )
    return tuple(found)


def _is_pyinfras(key: object) -> bool:
    return isinstance(key, str) and key.startswith(("_", "ssh_"))


def _normal(key: str, value: object) -> object:
    """Undo what pyinfra's command line parser did to a value, and bring lists into one form."""
    if key in _PATHS and isinstance(value, os.PathLike):
        return os.fspath(value)
    if key == "plan" and type(value) is int and value >= 0:
        return f"{value:012d}"  # twelve decimal digits, the leading zeros lost
    if key not in _LISTS:
        return value
    if isinstance(value, str):
        value = [part.strip(" ") for part in value.split(",")]
    elif isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    elif isinstance(value, tuple):
        value = list(value)
    elif type(value) is int:
        value = [value]
    if key == "phases" and isinstance(value, list):
        return [str(part) if type(part) is int else part for part in value]
    return value


def _unfit_texts(given: Mapping[str, object], source: _HostData) -> Iterator[Problem]:
    """Refuse invisible characters and endless texts before anything else looks at them."""
    for key, value in given.items():
        parts = value if isinstance(value, list) else [value]
        for index, part in enumerate(parts):
            path: NodePath = (key, index) if isinstance(value, list) else (key,)
            if isinstance(part, float) and key == "plan":
                source.damaged.add(path)
                yield source.problem(
                    path,
                    "was read as a number on the way here",
                    "give it with quotes inside quotes: --data 'plan=\"...\"'",
                )
            if not isinstance(part, str):
                continue
            if len(part) > _LONGEST_TEXT:
                source.damaged.add(path)
                yield source.problem(path, "is far too long", "write a short text")
                continue
            for _, what in hidden_characters(part):
                source.damaged.add(path)
                what = "a line break" if what.endswith("U+000A") else what
                yield source.problem(path, f"{what} is not allowed here", "remove it")
                break


def _unknown_settings(
    given: Mapping[str, object], source: _HostData, known: Collection[str]
) -> Iterator[Problem]:
    for key in _SETTINGS:
        value = given.get(key)
        if not isinstance(value, list):
            continue
        for index, name in enumerate(value):
            path: NodePath = (key, index)
            if not isinstance(name, str) or source.is_damaged(path) or name in known:
                continue
            hint = did_you_mean(name, known, "tasks/why.py lists them")
            yield source.problem(path, f"there is no setting {shown(name)}", hint)
    include, exclude = given.get("include"), given.get("exclude")
    if isinstance(include, list) and isinstance(exclude, list):
        for name in include:
            if isinstance(name, str) and name in exclude:
                yield source.problem(
                    ("include",),
                    f"{shown(name)} is excluded as well",
                    "leave it out of one of the two",
                    rank=1,
                )


def _choices(given: Mapping[str, object]) -> Choices:
    values: dict[str, object] = {"host": given["workspace"], **given, "named": frozenset(given)}
    for key in (*_SETTINGS, *_FLAKES, "against"):
        if key in values:
            values[key] = frozenset(_texts(values[key]))
    if "phases" in values:
        values["phases"] = frozenset(Phase(text) for text in _texts(values["phases"]))
    if "layers" in values:
        values["layers"] = frozenset(Layer(text) for text in _texts(values["layers"]))
    return Choices(**values)  # type: ignore[arg-type]  # the schema has the same types


def _texts(value: object) -> list[str]:
    assert isinstance(value, list)
    return [str(part) for part in value]
