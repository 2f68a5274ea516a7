"""Refuse choices that would change nothing or cannot be met, before any connection.

In: checked choices, the command, the settings and the facts. Out: problems. An id is either a
setting or a fact, so that a consent has one meaning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

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


def problems(
    choices: Choices,
    *,
    task: str,
    given: Collection[str],
    settings: Mapping[str, Setting],
    facts: Collection[str],
    former: Mapping[str, str],
) -> Iterator[Problem]:
    """Yield a problem for each choice that cannot have an effect.

    ``given``: the keys of this command's ``--data``; only these can be for the wrong command, since
    an inventory is for all commands. ``former``: former name of a fact, now a setting's id -> the
    fact's present name."""
    for key, only in _OF_ONE.items():
        if key in given and task != only:
            command = "deploy.py" if only == "deploy" else f"tasks/{only}.py"
            yield _problem(given, key, f"does nothing in {_command(task)}", f"it is for {command}")
    if task == "why" and choices.setting and choices.setting not in settings:
        hint = did_you_mean(choices.setting, settings, "tasks/why.py alone lists them")
        yield _problem(given, "setting", f"there is no setting {choices.setting}", hint)
    for key in ("accept", "include", "exclude"):
        for name in sorted(getattr(choices, key)):
            if key == "accept" and name in former:
                fact = former[name]
                why = f"{name} is a setting, and needs no consent"
                yield _problem(given, key, why, f"the fact is {fact}: --data accept={fact}")
                continue
            why, hint = _useless(key, name, settings.get(name), is_fact=name in facts)
            if why:
                yield _problem(given, key, f"{name} {why}", hint)


def _useless(key: str, name: str, setting: Setting | None, *, is_fact: bool) -> tuple[str, str]:
    """Why ``key=name`` cannot be met or changes nothing, and what to do; or two empty strings."""
    if setting is None:
        if is_fact and key != "accept":
            return "is a fact of the profile and no setting", "correct the profile instead"
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
    if key == "accept" and setting.risk is not Risk.HIGH and not is_fact:
        does = f"--data include={name}" if waits else f"leave accept={name} out"
        return f"needs no consent: its risk is {setting.risk}", does
    return "", ""


def _command(task: str) -> str:
    return "deploy.py" if task == "deploy" else f"tasks/{task}.py"


def _problem(given: Collection[str], key: str, message: str, hint: str) -> Problem:
    file = f"--data {key}" if key in given else f"{key} of the inventory"
    return Problem(file=file, line=0, column=0, path="", message=message, hint=hint)
