"""The choices of a workspace. In: pyinfra's host data (inventory, ``--data``). Out: ``Choices``.

pyinfra hands over ``--data`` values half parsed: ``phases=1`` arrives as a number, ``phases=1,4``
as text, ``phases=[1,4]`` as a list. All three are accepted. All else is checked as strictly as a
profile, because these values become paths, unit names and Nix attributes.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Hashable, Iterator, Mapping
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
    prefer: str = ""  # live or source: the side that wins a conflict with chezmoi's source
    chezmoi_programs: str = "left"  # whether chezmoi may run programs of the user's: left or run
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
    trial_confirm: str = "proof"  # what keeps a trial: proof, person or both
    trial_session_s: int = 900  # seconds until the desktop session has to be up after that boot
    trial_answer_s: int = 300  # seconds for a person's answer
    answer: str = "keep"  # the answer that tasks/confirm.py gives
    trial_reboot: str = "asked"  # whether the run may reboot the machine: asked or allowed
    choose: str = ""  # the choice that tasks/measure.py measures the alternatives of
    zram_algorithm: str = ""  # replaces the profile's: the better one, as measured here
    against: frozenset[str] = frozenset()  # INPUT=REFERENCE, or a reference for nixpkgs

    @property
    def flakes(self) -> tuple[str, str, str, str]:
        """The arguments of ``remote/flakes.sh``: directory and way of reading of each flake."""
        return (
            *(self.base_nixos, ",".join(sorted(self.base_nixos_with))),
            *(self.base_home, ",".join(sorted(self.base_home_with))),
        )


@dataclass
class _HostData:
    """The source of host data for problems: a host of the inventory, since there is no file."""

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


def fleet_problems(
    choices: Mapping[str, Choices], logins: Mapping[str, Hashable]
) -> tuple[Problem, ...]:
    """Return the problems between the hosts of one run. ``choices``: by pyinfra's host name;
    ``logins``: what is equal where two names are one login."""
    problems: list[Problem] = []
    names: dict[str, str] = {}
    there: dict[Hashable, str] = {}
    for name, chosen in choices.items():
        source = _HostData(name)
        first = there.setdefault((logins[name], chosen.root), name)
        if first != name:
            problems.append(
                source.problem(
                    ("at",),
                    f"this is the login of host {first}, too",
                    "leave one of the two out: a workspace is the home of one user",
                )
            )
        if chosen.workspace in names:
            problems.append(
                source.problem(
                    ("workspace",),
                    f"{chosen.workspace} is also the workspace of host {names[chosen.workspace]}",
                    "give each host its own workspace",
                )
            )
        names.setdefault(chosen.workspace, name)
    for name, chosen in choices.items():
        canary = chosen.canary
        if canary and canary not in names:
            problems.append(
                _HostData(name).problem(
                    ("canary",),
                    f"{canary} is not a workspace of this run",
                    did_you_mean(canary, names, f"name one of {', '.join(names)}"),
                )
            )
        elif canary and choices[names[canary]].canary not in ("", canary):
            problems.append(
                _HostData(name).problem(
                    ("canary",),
                    f"{canary} itself waits for {choices[names[canary]].canary}",
                    "name one canary for all: --data canary=...",
                )
            )
    return tuple(problems)


def _is_pyinfras(key: object) -> bool:
    return isinstance(key, str) and key.startswith(("_", "ssh_"))


def _normal(key: str, value: object) -> object:
    """Undo what pyinfra's command line parser did to a value, and make every list a list."""
    if key in _PATHS and isinstance(value, os.PathLike):
        return os.fspath(value)
    if key == "plan" and type(value) is int and value >= 0:
        return f"{value:012d}"  # the parser dropped the leading zeros of twelve decimal digits
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
    """Refuse invisible characters and overlong texts before the schema looks at them."""
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
