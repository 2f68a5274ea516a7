"""Checks of the aliases for monitoring, by the answer of the user's own interactive shell."""

from __future__ import annotations

import re
from dataclasses import replace

from converge.effect import Effect, Verdict, effective, not_applicable, not_effective
from converge.proof.check import ABSENT, MISSING, Answers, Ask, Context, Proof, value
from converge.setting import Phase, Setting
from converge.subjects.monitoring import rows
from converge.subjects.workspace.generations import marker_asks, settle


def _alias(setting: Setting) -> Ask:
    return Ask("alias", (str(value(setting)["alias"]),))


def _is_command(printed: str, command: str) -> bool:
    """Whether the whole command of an alias is this one, and no longer one that contains it."""
    whole = rf"(?:^|[\s=])(['\"]?){re.escape(command)}\1\s*(?:\$argv\s*;?\s*)?$"
    return re.search(whole, printed, re.MULTILINE) is not None


def _judge_alias(context: Context, answers: Answers, setting: Setting) -> Verdict:
    name, command = str(value(setting)["alias"]), str(value(setting)["command"])
    reply = answers.reply(_alias(setting))
    expected = f"an alias {name}"
    if reply.status in (0, 1, ABSENT) or reply.status == 127:
        # bash and zsh print the command in single quotes, unchanged, and fish with its arguments.
        if _is_command(reply.text, command):
            return effective(f"{name} in the user's shell", expected=expected)
        lines = reply.text.splitlines()
        start = lines[0].removeprefix("own ") if lines and lines[0].startswith("own ") else ""
        another = any(line.strip() for line in lines[bool(start) :])
        found = f"another {name}" if another else f"the user's shell knows no {name}"
        verdict = settle(context, answers, setting, not_effective(found, expected=expected))
        if verdict.effect is not Effect.NOT_EFFECTIVE or verdict.own:
            return verdict
        if start:
            reason = f"by your own choice: home-manager does not manage {start}"
        else:
            reason = f"by your own choice: your shell has its own {name}" if another else ""
        return replace(verdict, reason=reason, own=bool(reason))
    if reply.status == MISSING:
        return not_applicable(reply.last_error)
    answers.good(_alias(setting))
    raise AssertionError("good() raises for every other status")


PROOFS: tuple[Proof, ...] = tuple(
    Proof(
        id=row.check,
        title="what the user's own interactive shell knows",
        phase=Phase.DESKTOP,
        asks=lambda context, setting: (_alias(setting), *marker_asks(context, setting.layer)),
        judge=_judge_alias,
    )
    for row in rows.ROWS
)
