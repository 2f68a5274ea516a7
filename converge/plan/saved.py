"""Plans that a dry run showed, kept on the controller with the choices that narrowed them.

``--data plan=ID`` computes the plan again from the workspace as it is now, with the kept choices.
The plan is applied where its id is the same. Where the id differs, the kept plan tells what changed
since. Nothing is ever applied from the kept file itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from converge.journal.form import plain, taken
from converge.journal.kinds import PlannedFile, PlanSummary
from converge.plan.diff import short, unified
from converge.plan.plan import Plan
from converge.problem import InvalidInput, Problem, nearest
from converge.profile.choices import Choices
from converge.setting import Layer, Phase
from converge.text import redact

#: The choices that narrow a plan; all other choices come from the inventory.
NARROWING = ("phases", "layers", "accept", "include", "exclude", "rollout", "soak_hours")
_LONGEST_SOAK = 720  # hours, as in schemas/workspace.schema.json
_NAMED = 3  # files that a reason names


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A plan that was shown. ``choices``: the choices of ``NARROWING`` as JSON values."""

    id: str
    workspace: str
    choices: Mapping[str, object]
    summary: PlanSummary


def narrowing(choices: Choices) -> dict[str, object]:
    """The choices of ``NARROWING`` as JSON values."""
    values: dict[str, object] = {}
    for name in NARROWING:
        value = getattr(choices, name)
        values[name] = sorted(map(str, value)) if isinstance(value, frozenset) else value
    return values


def contents(plan: Plan, *, home: str, choices: Choices) -> dict[str, object]:
    """The file of a plan: its summary, the choices of ``NARROWING``, its diffs without secrets."""
    return {
        **plain(plan.summary()),
        "id": plan.id,
        "choices": narrowing(choices),
        "diffs": {
            change.path: redact.record(unified(change, home=home)) for change in plan.changes
        },
    }


def load(directory: Path, name: str) -> Saved:
    """The kept plan with the id ``name``. Raises ``InvalidInput`` where there is none, or where its
    file cannot be read."""
    files = (path for path in directory.glob("*.json") if path.is_file())
    shown = sorted(files, key=lambda path: -path.lstat().st_mtime)
    path = directory / f"{name}.json"
    if path not in shown:
        ids = [path.stem for path in shown]
        close = nearest(name, ids)
        hint = f"did you mean {close}?" if close else "a dry run shows one: deploy.py --dry"
        if ids and not close:
            hint += f"; the newest is {ids[0]}"
        raise InvalidInput([_problem(name, "no plan of that id was shown here", hint)])
    try:
        data = json.loads(path.read_bytes())
        return Saved(
            id=name,
            workspace=str(data["workspace"]),
            choices={key: data["choices"][key] for key in NARROWING},
            summary=taken(PlanSummary, data),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"{path} cannot be read as a plan"
        raise InvalidInput([_problem(name, why, "make it again: deploy.py --dry")]) from error


def narrowed(choices: Choices, saved: Saved, given: Collection[str]) -> Choices:
    """``choices`` with those that the plan was shown with. ``given``: the keys of this command's
    ``--data``. Raises ``InvalidInput`` where one of these contradicts the plan, or where the plan
    is that of another workspace."""
    if saved.workspace != choices.workspace:
        raise InvalidInput(
            [
                _problem(
                    saved.id,
                    f"is a plan of {saved.workspace}, not of {choices.workspace}",
                    "name the inventory of that one, or pick it with --limit",
                )
            ]
        )
    now = narrowing(choices)
    other = [name for name in NARROWING if name in given and now[name] != saved.choices[name]]
    if other:
        raise InvalidInput(
            [
                _problem(
                    saved.id,
                    f"was shown with {name}={_words(saved.choices[name])}, not {_words(now[name])}",
                    f"leave {name}= out, or make a plan with it: deploy.py --dry",
                )
                for name in other
            ]
        )
    try:
        _fit(saved.choices)
        return replace(
            choices,
            phases=frozenset(Phase(text) for text in _texts(saved.choices["phases"])),
            layers=frozenset(Layer(text) for text in _texts(saved.choices["layers"])),
            accept=frozenset(_texts(saved.choices["accept"])),
            include=frozenset(_texts(saved.choices["include"])),
            exclude=frozenset(_texts(saved.choices["exclude"])),
            rollout=str(saved.choices["rollout"]),
            soak_hours=int(str(saved.choices["soak_hours"])),
        )
    except (ValueError, TypeError) as error:
        why = "was edited, or shown by another version of this program"
        raise InvalidInput([_problem(saved.id, why, "make it again: deploy.py --dry")]) from error


def _fit(kept: Mapping[str, object]) -> None:
    """Raise ValueError for choices that no inventory could have, as of a file that was edited."""
    hours = kept["soak_hours"]
    lists = [kept[name] for name in NARROWING if name not in ("rollout", "soak_hours")]
    if (
        kept["rollout"] not in ("all", "staged")
        or type(hours) is not int
        or not 0 <= hours <= _LONGEST_SOAK
        or not all(isinstance(one, list) and all(type(t) is str for t in one) for one in lists)
    ):
        raise ValueError("choices of no inventory")


def stale(saved: Saved, plan: Plan, *, home: str) -> str:
    """A sentence: what differs between the plan that was shown and the plan now."""
    parts: list[str] = []
    then, now = (
        {change.path: change for change in summary.changes}
        for summary in (saved.summary, plan.summary())
    )
    paths = [path for path in {**then, **now} if then.get(path) != now.get(path)]
    if paths:
        named = [
            f"{short(path, home)} {_change(then.get(path), now.get(path))}"
            for path in paths[:_NAMED]
        ]
        more = [f"and {len(paths) - _NAMED} more"] if len(paths) > _NAMED else []
        parts.append(", ".join([*named, *more]))
    built, builds = (
        {build.layer: build for build in summary.builds}
        for summary in (saved.summary, plan.summary())
    )
    layers = [name for name in {**built, **builds} if built.get(name) != builds.get(name)]
    if layers:
        parts.append(f"what the {' and '.join(layers)} layer is built from changed")
    if saved.summary.sweep != plan.sweep:
        parts.append("files of a run that was killed came or went")
    return "; ".join(parts) or "what it was made from changed"


def _change(then: PlannedFile | None, now: PlannedFile | None) -> str:
    if then is None:
        return "would change as well"
    if now is None:
        return "needs no change any more"
    return "was changed" if then.before != now.before else "would become another"


def _texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list) else []


def _words(value: object) -> str:
    return ",".join(_texts(value)) or "nothing" if isinstance(value, list) else str(value)


def _problem(name: str, message: str, hint: str) -> Problem:
    return Problem(
        file=f"--data plan={name}", line=0, column=0, path="", message=message, hint=hint
    )
