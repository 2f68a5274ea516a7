"""Prove the effects: ask a workspace everything in one remote command, record what was found.

``before`` is for the time before anything is written, ``after`` for the time after. Nothing is
changed on the workspace, and nothing is raised for what happens there: no answer means unknown.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from converge.exits import Exit
from converge.plan import layers
from converge.proof import inquiry
from converge.proof.check import Context, When
from converge.proof.effect import Effect, Finding, new_faults, summary, verdict
from converge.proof.show import show
from converge.report.ending import verified
from converge.subjects.checks import ITEMS, PROOFS
from tasks.reach import remote
from tasks.run.stages import Built, Given, Over, Planned, Read
from tasks.steps import read

SETTLE_S = 3
SLACK_S = 60  # for the connection, on top of the time limits of all probes together


def context(work: Planned) -> Context:
    """What the checks know of a workspace before they ask anything."""
    choices, snapshot = work.choices, work.snapshot
    return Context(
        profile=work.profile,
        snapshot=snapshot,
        standings=tuple(work.plan.standings),
        not_applicable=work.plan.not_applicable,
        layers=layers.nix_layers(snapshot, root=choices.root, host=choices.host, user=choices.user),
        paths=dict(work.paths) if isinstance(work, Built) else {},
        root=choices.root,
    )


def look(work: Given) -> Planned:
    """Read a workspace and make its plan, for a task that changes nothing: it waits for nobody, and
    leaves a change that another run left open as it is."""
    found = read.take(work)
    work.record("snapshot", facts=dict(found.facts), marks=sorted(found.marks))
    why = read.stranger(work, found)
    if why:
        raise Over(why, Exit.INVALID)
    return read.plan(Read.of(work, snapshot=found))


def before(work: Planned) -> tuple[Finding, ...]:
    """What has to hold before anything is written.

    The faults that the workspace has already are found as well: they are not the run's."""
    return prove(work, frozenset(When) - {When.AFTER})


def after(work: Planned, *, settle: bool = True) -> tuple[Finding, ...]:
    """What has to hold now, and the effect of every setting of the phases of this run. The snapshot
    and the plan of ``work`` are those of now.

    ``settle``: something was changed a moment ago. What is not as it should be is then asked once
    more: KWin follows a file with a delay, and units take a moment to start."""
    return prove(work, frozenset(When) - {When.BEFORE}, settle=settle)


def prove(work: Planned, when: frozenset[When], *, settle: bool = False) -> tuple[Finding, ...]:
    """Ask, judge and record: one journal record of the kind ``finding`` each."""
    known = context(work)
    todo = inquiry.jobs(known, ITEMS, PROOFS, when=when, phases=work.choices.phases)
    findings = list(ask(work, known, todo))
    wrong = (Effect.NOT_EFFECTIVE, Effect.UNKNOWN)
    again = [number for number, one in enumerate(findings) if one.effect in wrong]
    if settle and again:
        time.sleep(SETTLE_S)
        for number, one in zip(again, ask(work, known, [todo[n] for n in again]), strict=True):
            findings[number] = one
    for finding in findings:
        work.record("finding", **finding.record())
    return tuple(findings)


def ask(work: Given, known: Context, todo: Iterable[inquiry.Job]) -> tuple[Finding, ...]:
    """A finding for each of these jobs, from one remote command."""
    todo = tuple(todo)
    asked = inquiry.questions(known, todo)
    answer = work.remote(
        "check",
        *inquiry.arguments(known, asked),
        stdin=remote.joined(*inquiry.PROBES),
        timeout=SLACK_S + sum(ask.limit for ask in asked),
    )
    failure = "" if answer.ok else answer.last_error
    answers = inquiry.read(known, asked, answer.lines, failure=failure)
    return inquiry.findings(known, todo, answers)


def table(work: Given, findings: Iterable[Finding], *, whole: bool = False) -> None:
    show(work.run.terminal, work.choices.workspace, findings, whole=whole)


def result(findings: tuple[Finding, ...]) -> tuple[Exit, str]:
    """The exit code of a verification and, in one line, why."""
    worst = next(
        (
            one
            for effect in (Effect.NOT_EFFECTIVE, Effect.UNKNOWN)
            for one in findings
            if one.effect is effect and one.counts
        ),
        None,
    )
    text = summary(findings)
    if worst is not None:
        text += f"; first: {worst.setting or worst.check}"
    return verdict(findings), text


def proved(known: tuple[Finding, ...], findings: tuple[Finding, ...]) -> tuple[Exit, str]:
    """The same for a run that has to keep or undo what it did: faults that were there before it
    (``known``, from ``before``) do not count against it."""
    excused = tuple(
        one
        for one in findings
        if one.effect is not Effect.NOT_EFFECTIVE or not one.counts or counts_against(known, one)
    )
    return result(excused)


def counts_against(known: tuple[Finding, ...], finding: Finding) -> bool:
    """Whether this finding is why a run does not keep what it did."""
    return (
        finding.effect is Effect.NOT_EFFECTIVE
        and finding.counts
        and finding in new_faults(known, (finding,))
    )


def verify(work: Planned) -> Planned:
    """The effect of everything, now; it decides the exit code."""
    findings = after(work, settle=False)
    table(work, findings, whole=work.run.diff)
    _, why = result(findings)
    work.ends(verified(findings), why)
    return work
