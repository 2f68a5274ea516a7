"""Checks of session variables: in the running session, and in programs that start from now on.

The user's manager reads environment.d when it starts or is reloaded, and Plasma takes its
environment from the manager at login. So the file alone proves nothing, and a running program keeps
its variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from converge.effect import Effect, Verdict, effective, not_effective, pending, unknown
from converge.plan.layers import session_file
from converge.proof.check import (
    DENIED,
    MISSING,
    NOBODY,
    Answers,
    Ask,
    Context,
    Proof,
    Unreadable,
    value,
)
from converge.setting import Setting
from converge.subjects.session import rows
from converge.subjects.workspace import system

#: The program that a unit's drop-in is for.
_PROGRAMS = {"plasma-kwin_x11.service": "kwin_x11"}


def _variables(setting: Setting) -> Mapping[str, str]:
    found = value(setting)["variables"]
    assert isinstance(found, Mapping)
    return found


def _running(setting: Setting) -> Ask:
    program = _PROGRAMS.get(str(value(setting).get("unit", "")), "session")
    return Ask("environment", (program, *_variables(setting)))


def _fresh(setting: Setting) -> Ask:
    return Ask("fresh", tuple(_variables(setting)))


def _unit(setting: Setting) -> Ask:
    return Ask("properties", ("user", str(value(setting)["unit"]), "LoadState,Environment"))


def _files(setting: Setting) -> Ask:
    return Ask("environment-files", tuple(_variables(setting)))


def _asks(context: Context, setting: Setting) -> Iterable[Ask]:
    if "unit" in value(setting):
        return (_running(setting), _unit(setting))
    return (_running(setting), _fresh(setting), _files(setting))


def _shown(variables: Mapping[str, str]) -> str:
    return " ".join(f"{name}={text}" for name, text in variables.items()) or "none of them"


def _difference(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """The variables that are missing or have another value; "" where all are as wanted."""
    return " ".join(
        f"{name}={found[name]}" if name in found else f"{name} (not set)"
        for name, text in wanted.items()
        if found.get(name) != text
    )


def _judge(context: Context, answers: Answers, setting: Setting) -> Verdict:
    wanted = _variables(setting)
    expected = _shown(wanted)
    path, content = session_file(setting)
    node = context.snapshot.nodes.get(context.snapshot.expand(path))
    if node is None or node.content != content:
        found = "no such file" if node is None else "other lines"
        return not_effective(f"{path}: {found}", expected=expected, reason="it was not written")
    next_start = (_unit_has if "unit" in value(setting) else _fresh_has)(answers, setting)
    if "unit" in value(setting):
        place = "another drop-in of the unit"
        theirs = {name: (text, place) for name, text in _other(wanted, next_start).items()}
    else:
        theirs = _theirs(answers, setting, context.snapshot.expand(path), next_start or {})
        for name, text in _other(wanted, next_start).items():
            if name in theirs:
                continue
            if text in rows.values(name):
                # A manager that is reloaded keeps what our file said before.
                return pending(
                    "an earlier run set it: log in again, or restart where the user's manager "
                    "stays; if it is there again, a login script of yours sets it",
                    expected=expected,
                    found=f"{name}={text}",
                )
            theirs[name] = text, "the environment of the user's manager"
    rest = {name: text for name, text in wanted.items() if name not in theirs}
    verdict = _in_force(answers, setting, rest, next_start)
    if not theirs or verdict.effect is Effect.NOT_EFFECTIVE:
        return verdict
    found = ", ".join(f"{name}={text} in {file}" for name, (text, file) in theirs.items())
    reason = "by your own choice: what is set there wins over ours"
    return replace(not_effective(found, expected=expected, reason=reason), own=True)


def _in_force(
    answers: Answers,
    setting: Setting,
    wanted: Mapping[str, str],
    next_start: Mapping[str, str] | None,
) -> Verdict:
    """Whether ``wanted`` is in the running session or program, and in ``next_start``, what a new
    one gets (None: not known). The file has it, and no other file has it otherwise."""
    expected = _shown(wanted)
    reply = answers.reply(_running(setting))
    if reply.status == NOBODY:
        return pending(f"at the next login: {reply.last_error}", expected=expected)
    if reply.status == DENIED:
        return unknown(f"not permitted to read {reply.last_error}", expected=expected)
    found_now = system.environment(answers.good(_running(setting)).output, "process")
    difference = _difference(wanted, found_now)
    if not difference:
        if next_start is not None and (lacking := _difference(wanted, next_start)):
            return not_effective(
                f"what is started now gets {lacking}",
                expected=expected,
                reason="only the running session has it",
            )
        return effective(_shown(wanted), expected=expected)
    who = "KWin" if "unit" in value(setting) else "the session"
    return pending(
        f"{who} was started before it: log in again", expected=expected, found=difference
    )


def _other(wanted: Mapping[str, str], found: Mapping[str, str] | None) -> dict[str, str]:
    """The variables of ``wanted`` that have another value in ``found``."""
    return {
        name: found[name]
        for name, text in wanted.items()
        if found is not None and name in found and found[name] != text
    }


def _fresh_has(answers: Answers, setting: Setting) -> Mapping[str, str] | None:
    """The variables that the user's manager gives to a program now; None without a manager."""
    reply = answers.reply(_fresh(setting))
    if reply.status in (MISSING, NOBODY):
        return None
    return system.environment(answers.good(_fresh(setting)).output, "fresh")


def _theirs(
    answers: Answers, setting: Setting, ours: str, next_start: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """The variables that have another value from the next login on: name -> the value, and the file
    that sets it. ``ours``: path of our file, in which a variable that is set already stays. The
    probe prints the files in the order in which a login reads them."""
    wanted = _variables(setting)
    last: dict[str, tuple[str, str]] = {}
    for line in answers.text(_files(setting)).splitlines():
        word, _, rest = line.partition(" ")
        path, _, assignment = rest.partition("\t")
        name, equals, text = assignment.partition("=")
        if word != "set" or not equals:
            continue
        if path != ours:
            last[name] = text.strip("\"'"), path
        elif not last.get(name, ("", ""))[0]:
            last[name] = wanted[name], path
    if lacking := sorted(wanted.keys() - last.keys()):
        raise Unreadable(f"no file of environment.d sets {lacking[0]}, although ours is there")
    return {
        name: last[name]
        for name, text in wanted.items()
        if last[name][0] != text
        # What systemd makes of a line in other words, the manager says.
        and not (re.search(r"[$\\#'\"]", last[name][0]) and next_start.get(name) == text)
    }


def _unit_has(answers: Answers, setting: Setting) -> Mapping[str, str] | None:
    if answers.reply(_unit(setting)).status in (MISSING, NOBODY):
        return None
    properties = system.properties(answers.text(_unit(setting)))
    if "LoadState" not in properties:
        raise Unreadable(f"systemd said nothing of {value(setting)['unit']}")
    if properties["LoadState"] != "loaded":
        return None
    words = properties.get("Environment", "").split()
    return dict(word.strip('"').partition("=")[::2] for word in words)


PROOFS: tuple[Proof, ...] = tuple(
    Proof(
        id=row.check,
        title="the environment of the running session, and of what is started now",
        phase=row.phase,
        asks=_asks,
        judge=_judge,
    )
    for row in rows.ROWS
)
