"""Send what belongs together in one remote command: each further one costs a round trip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from converge.plan.snapshot import Snapshot
from converge.plan.unread import BEGIN
from converge.proof import inquiry
from converge.proof.check import Ask
from converge.proof.touched import Touched
from tasks.reach import commands, reading, remote
from tasks.reach.remote import Answer
from tasks.run.stages import Built, Given, Planned
from tasks.run.waits import PROGRAMS
from tasks.steps import lock, proof, read, transaction


def take(work: Planned, wanted: Touched) -> proof.Earlier:
    """Take the lock of the workspace and, where that is done, ask the questions of
    ``proof.before``. Raises ``Over`` where another run holds the lock."""
    asked = proof.at_first(work, wanted)
    words, stdin = _words(work, asked)
    given = commands.take_command(lock.arguments(work), words)
    send = partial(remote.send, work.host, given, stdin=stdin, timeout=proof.limit(asked))
    with work.waits(PROGRAMS["check"]):
        answer = send()
    if answer.lost and work.reconnect():  # a lock that the run has already is taken again
        answer = send()
    taken, answered = inquiry.apart(answer.lines)
    lock.done(replace(answer, lines=tuple(taken)), safe=lock.UNTOUCHED)
    return proof.Earlier(asked, answered)


def begin(work: Built, expected: Built, wait_s: int, payload: str) -> tuple[Answer, Answer | None]:
    """Begin the transaction, as ``transaction.ask`` does, and look at the workspace as soon as the
    change is in force. The answers to both; None where it was not looked at: ``look`` does that.
    ``expected``: as for ``look``."""
    asked = proof.foreseen(expected)
    words, stdin = _words(expected, asked)
    start = ("start", str(wait_s))
    if work.as_root or stdin:
        return transaction.ask(work, *start, stdin=payload), None
    place, reads = transaction.directory(work), reading.paths(work.choices)
    given = commands.begin_command(place, wait_s, work.choices.root, reads, words)
    with work.waits(PROGRAMS["transact"]):
        limit = transaction.LIMIT_S + _limit(asked)
        answer = remote.send(work.host, given, stdin=payload, timeout=limit)
    at = answer.lines.index(BEGIN) if BEGIN in answer.lines else len(answer.lines)
    begun, looked = (replace(answer, lines=part) for part in (answer.lines[:at], answer.lines[at:]))
    if begun.lines[-1:] == ("lacking",):  # it could not unpack the program, and began nothing
        return transaction.ask(work, *start, stdin=payload), None
    return (
        transaction.ask(work, *start, stdin=payload, answered=begun),
        looked if looked.lines else None,
    )


def look(
    work: Planned, expected: Planned, looked: Answer | None = None
) -> tuple[Snapshot | None, proof.Earlier]:
    """The snapshot as of ``read.take_again``, and what was asked. The machine and the flakes are
    those that the run has read before. ``expected``: the workspace as it should be now, for which
    the questions are made; what it turns out to lack is asked later. ``looked``: what ``begin``
    has of it already."""
    asked = proof.foreseen(expected)
    answered: Sequence[str] = ()

    def once(_: Given) -> Snapshot | str:
        nonlocal answered, looked
        answer, looked = looked or _look(work, expected, asked), None
        lines, answered = inquiry.apart(answer.lines)
        return read.understood(replace(answer, lines=tuple(lines)), work.snapshot)

    found = read.take_again(work, once)
    return found, proof.Earlier(asked, answered)


def _look(work: Planned, expected: Planned, asked: Sequence[Ask]) -> Answer:
    words, stdin = _words(expected, asked)
    given = commands.look_command(work.choices.root, reading.paths(work.choices), words)
    with work.waits(PROGRAMS["check"]):
        return remote.send(work.host, given, stdin=stdin, timeout=_limit(asked))


def _words(work: Planned, asked: Sequence[Ask]) -> tuple[Sequence[str], str]:
    questions = inquiry.arguments(proof.context(work), asked)
    return commands.asking(questions, inquiry.probes(asked))


def _limit(asked: Sequence[Ask]) -> int:
    return reading.LIMIT_S + proof.limit(asked)
