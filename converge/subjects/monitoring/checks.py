"""Checks of the aliases for monitoring, by the answer of the user's own interactive shell."""

from __future__ import annotations

import re

from converge.effect import Verdict, effective, not_applicable, not_effective
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
        live = not_effective(
            f"another {name}" if reply.text.strip() else f"the user's shell knows no {name}",
            expected=expected,
            reason="home-manager has to manage the shell's own files for it",
        )
        return settle(context, answers, setting, live)
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
