"""Refuse choices that would change nothing or cannot be met, before any connection.

In: checked choices, the command, the settings and the facts. Out: problems. An id is either a
setting or a fact, so that a consent has one meaning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from converge.problem import Problem, did_you_mean
from converge.profile.choices import Choices
from converge.setting import Risk, Setting, State

#: Choices that only one command reads.
_OF_ONE = {
    "plan": "deploy",
    "run": "rollback",
    "setting": "why",
    "against": "verify",
    "choose": "measure",
    "write": "detect",
    "answer": "confirm",
}
#: What narrows a plan. A command that changes something without a plan would do more than was
#: asked for, had it no answer to these.
_NARROW = ("phases", "accept", "include", "exclude", "rollout")
_WHOLE = {
    "rollback": (_NARROW, "leave it out; --data layers=... narrows a rollback"),
    "remove": (
        (*_NARROW, "layers"),
        "leave it out; tasks/rollback.py --data layers=... undoes less",
    ),
    "confirm": ((*_NARROW, "layers"), "leave it out; a trial is answered as a whole"),
}


class Ids(NamedTuple):
    """What ``accept=``, ``include=`` and ``exclude=`` may name."""

    settings: Mapping[str, Setting]
    facts: Collection[str]
    consents: Collection[str]  # the facts that take consent, and what else does that is no setting
    former: Mapping[str, str]  # former name of a fact, now a setting's id -> its present name


def problems(choices: Choices, *, task: str, given: Collection[str], ids: Ids) -> Iterator[Problem]:
    """Yield a problem for each choice that cannot have an effect.

    ``given``: the keys of this command's ``--data``; only these can be for the wrong command, since
    an inventory is for all commands."""
    for key, only in _OF_ONE.items():
        if key in given and task != only:
            command = "deploy.py" if only == "deploy" else f"tasks/{only}.py"
            yield _problem(given, key, f"does nothing in {_command(task)}", f"it is for {command}")
    keys, hint = _WHOLE.get(task, ((), ""))
    for key in keys:
        if key in given:
            yield _problem(given, key, f"does nothing in {_command(task)}", hint)
    if task == "why" and choices.setting and choices.setting not in ids.settings:
        hint = did_you_mean(choices.setting, ids.settings, "tasks/why.py alone lists them")
        yield _problem(given, "setting", f"there is no setting {choices.setting}", hint)
    for key in ("accept", "include", "exclude"):
        for name in sorted(getattr(choices, key)):
            why, hint = _useless(key, name, ids)
            if why:
                yield _problem(given, key, f"{name} {why}", hint)


def _useless(key: str, name: str, ids: Ids) -> tuple[str, str]:
    """Why ``key=name`` cannot be met or changes nothing, and what to do; or two empty strings."""
    setting, fact = ids.settings.get(name), ids.former.get(name, "")
    if key == "accept" and fact in ids.consents:
        hint = f"the fact is {fact}: --data accept={fact}"
        return "is a setting, and needs no consent", hint
    if setting is None:
        if name in ids.consents and name not in ids.facts and key != "accept":
            return "is a word for accept= alone", f"leave {key}={name} out"
        if name in ids.facts and key != "accept":
            return "is a fact of the profile and no setting", "correct the profile instead"
        if name in ids.facts and name not in ids.consents:
            return "is a fact that takes no consent", "correct the profile where it differs"
        if key == "exclude":
            return "is a word for include= alone", f"leave exclude={name} out"
        return "", ""
    if key == "exclude":
        return "", ""
    if not setting.forcible:
        return f"cannot be included: {setting.reason}", f"leave {key}={name} out"
    waits = setting.state in (State.WITHHELD, State.OFFERED) or bool(setting.rests_on)
    if key == "include" and not waits and not setting.installable:
        if setting.risk is Risk.HIGH:
            return "is in the plan, and needs consent", f"--data accept={name}"
        return "is in the plan without that", f"leave include={name} out"
    if key == "accept" and setting.risk is not Risk.HIGH:
        does = f"--data include={name}" if waits else f"leave accept={name} out"
        return f"needs no consent: its risk is {setting.risk}", does
    return "", ""


def _command(task: str) -> str:
    return "deploy.py" if task == "deploy" else f"tasks/{task}.py"


def _problem(given: Collection[str], key: str, message: str, hint: str) -> Problem:
    file = f"--data {key}" if key in given else f"{key} of the inventory"
    return Problem(file=file, line=0, column=0, path="", message=message, hint=hint)
