"""Questions over a line that is cut are asked again; without an answer no change is kept."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from converge.effect import Effect, Finding
from converge.proof import inquiry, keep
from converge.proof.check import Ask, Context, When
from converge.proof.touched import touched
from converge.setting import Layer, Phase
from converge.subjects.checks import ITEMS, PROOFS
from converge.subjects.settings import ALL
from tasks.reach.remote import Answer
from tasks.steps import proof
from tests.proof import checks
from tests.subjects.desktop import KDE

LOST = Answer(ok=False, lines=(), errors=("the connection broke",), lost=True)
CHANGE = touched(frozenset({Layer.PLASMA}), ("kwinrc",), ALL, ITEMS)


@dataclass
class Line:
    """A workspace behind a line: ``answers`` come one after the other."""

    answers: Iterator[Answer]
    comes_back: bool = True
    asked: int = 0
    host: Any = field(default_factory=lambda: SimpleNamespace(connector=SimpleNamespace()))

    def remote(self, program: str, *arguments: str, **options: object) -> Answer:
        assert program == "check"
        self.asked += 1
        return next(self.answers)

    def reconnect(self) -> bool:
        return self.comes_back


def todo(known: Context) -> tuple[inquiry.Job, ...]:
    return inquiry.jobs(
        known,
        ITEMS,
        PROOFS,
        when=frozenset({When.ALWAYS, When.AFTER}),
        phases=frozenset(Phase),
        wanted=CHANGE,
    )


def lines(known: Context) -> list[str]:
    """What the workspace prints when all is well."""
    found = ["workspace-check 1"]
    asked = inquiry.questions(known, todo(known))
    machine = {
        "state": "state running\n",
        "journal": "since 1\n",
        "coredumps": "since 1\nNo coredumps found.\n",
    }
    replies = checks.answers(asked, {**KDE, **machine})

    def one(number: int, ask: Ask) -> str:
        reply = replies.reply(ask)
        output = b64encode(reply.output).decode()
        errors = b64encode(reply.errors.encode()).decode()
        return f"answer {number} ={output} {reply.status} ={errors}"

    found += [one(number, ask) for number, ask in enumerate(asked)]
    return [*found, "end"]


def asked(line: Line) -> tuple[Finding, ...]:
    known = checks.context()
    return proof.ask(line, known, todo(known))  # type: ignore[arg-type]


#: Rows that KWin no longer reads: never effective, whatever is answered.
DEAD = {"kwin.gl-core", "kwin.texture-filter"}


def undone(findings: tuple[Finding, ...]) -> set[str]:
    return {one.setting or one.check for one in keep.against((), findings, CHANGE)} - DEAD


def whole(upto: int | None = None) -> Answer:
    return Answer(ok=upto is None, lines=tuple(lines(checks.context())[:upto]), lost=False)


def test_a_line_that_holds_is_asked_once() -> None:
    line = Line(iter([whole()]))
    assert undone(asked(line)) == set()
    assert line.asked == 1


def test_a_line_that_was_cut_is_asked_again_on_a_new_connection() -> None:
    line = Line(iter([LOST, whole()]))
    findings = asked(line)
    assert line.asked == 2
    assert undone(findings) == set()
    assert Effect.EFFECTIVE in {finding.effect for finding in findings}


@pytest.mark.parametrize("comes_back", [True, False])
def test_without_an_answer_the_change_is_undone(comes_back: bool) -> None:
    """U18: nothing was proved, and the change was kept with exit 0."""
    line = Line(iter([LOST, LOST]), comes_back=comes_back)
    findings = asked(line)
    assert {"kwin.contrast", "kwin.blur", "user.state"} <= undone(findings)
    assert Effect.EFFECTIVE not in {finding.effect for finding in findings}


@pytest.mark.parametrize("upto", range(1, len(lines(checks.context())) - 1))
def test_an_answer_that_is_cut_anywhere_proves_only_what_it_holds(upto: int) -> None:
    """Answers after the cut are unknown, whatever comes before."""
    line = Line(iter([whole(upto)]))
    findings = asked(line)
    lacking = [finding for finding in findings if finding.effect is Effect.UNKNOWN]
    assert lacking and not any(one.answered for one in lacking)
    assert undone(findings) == {one.setting or one.check for one in lacking} - DEAD
    assert all("answer " not in one.reason for one in lacking), "no line of the wire is a reason"
