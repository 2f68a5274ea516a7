"""Read a workspace after its change, and ask the questions of the proof in the same command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from converge.plan.snapshot import Snapshot
from converge.proof import inquiry
from tasks.reach import commands, reading, remote
from tasks.run.stages import Given, Planned
from tasks.run.waits import PROGRAMS
from tasks.steps import proof, read


def look(work: Planned, expected: Planned) -> tuple[Snapshot | None, proof.Earlier]:
    """The snapshot as of ``read.take_again``, and what was asked. ``expected``: the workspace as it
    should be now, for which the questions are made; what it turns out to lack is asked later."""
    asked = proof.foreseen(expected)
    answered: Sequence[str] = ()

    def once(_: Given) -> Snapshot | str:
        nonlocal answered
        questions = inquiry.arguments(proof.context(expected), asked)
        words, stdin = commands.asking(questions, inquiry.probes(asked))
        given = commands.look_command(work.choices.root, reading.arguments(work.choices), words)
        with work.waits(PROGRAMS["check"]):
            limit = reading.LIMIT_S + proof.limit(asked)
            answer = remote.send(work.host, given, stdin=stdin, timeout=limit)
        lines, answered = inquiry.apart(answer.lines)
        return read.understood(replace(answer, lines=tuple(lines)))

    found = read.take_again(work, once)
    return found, proof.Earlier(asked, answered)
