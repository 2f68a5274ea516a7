"""Prove the effects: ask a workspace all questions in one remote command, and record the findings.

``before`` is for the time before anything is written, ``after`` for the time after. Nothing is
changed on the workspace. A failure there raises nothing: without an answer the effect is unknown.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from converge.effect import Effect, Finding, summary, unknown, verdict
from converge.exits import Exit, Outcome
from converge.journal.kinds import FindingRecord
from converge.plan import layers
from converge.plan.held import OTHERWISE, not_known
from converge.plan.standing import Stand
from converge.plan.written import NOT_LOOKED_AT, SettingProof
from converge.proof import inquiry, keep
from converge.proof.check import Answers, Ask, Context, Reply, When
from converge.proof.touched import Touched, touched
from converge.report.ending import verified
from converge.report.findings import show
from converge.setting import Layer
from converge.subjects.checks import ITEMS, PROOFS
from tasks.reach import commands, remote
from tasks.reach.remote import Answer
from tasks.run.stages import Built, Given, Over, Planned, Read
from tasks.steps import read, write
from tasks.steps.show import nothing_to_do

#: The checks that are due after a change.
AFTER = frozenset(When) - {When.BEFORE}
#: Effects that a run without keeping its change shows; the others are in the journal only.
WRONG = (Effect.NOT_EFFECTIVE, Effect.UNKNOWN)
SETTLE_S = 3
#: The step of a look that puts what it found into the workspace's record.
NOTE = "note what was found"
SLACK_S = 60  # for the connection, on top of the time limits of all probes together


def context(work: Planned) -> Context:
    """What the checks know of a workspace before they ask anything."""
    choices, snapshot = work.choices, work.snapshot
    tried = {Layer.NIXOS.value: snapshot.tried.path} if snapshot.tried else {}
    return Context(
        profile=work.profile,
        snapshot=snapshot,
        standings=tuple(work.plan.standings),
        not_applicable=work.plan.not_applicable,
        layers=layers.nix_layers(snapshot, root=choices.root, host=choices.host, user=choices.user),
        paths=dict(work.paths) if isinstance(work, Built) else tried,
        root=choices.root,
    )


def look(work: Given) -> Planned:
    """Read a workspace and make its plan, for a task that changes nothing: it waits for no lock,
    and leaves open changes of other runs as they are."""
    found = read.take(work)
    read.seen(work, found)
    why = read.stranger(work, found)
    if why:
        raise Over(why, Exit.INVALID)
    return read.plan(Read.of(work, snapshot=found))


def touched_by(work: Planned) -> Touched:
    """What the change of this run can have touched."""
    plan = work.plan
    changed = {change.layer for change in plan.live}
    changed |= {build.nix.layer for build in plan.needed_builds}
    files = (change.path.rpartition("/")[2] for change in plan.live if change.kde)
    in_force = (standing.setting for standing in plan.standings if standing.in_force)
    return touched(frozenset(changed), files, in_force, ITEMS)


def first(work: Planned, always: frozenset[str]) -> Touched:
    """The items that have to hold before anything is written, the items ``always`` (ids), and all
    items that are asked again after the change, so that faults from before are known."""
    early = {item.id for item in ITEMS if item.when is When.BEFORE}
    items = touched_by(work).items | always | early
    return Touched(settings=frozenset(), items=items)


def before(work: Planned, wanted: Touched, earlier: Earlier | None = None) -> tuple[Finding, ...]:
    """Findings of ``first``."""
    return prove(work, frozenset(When), wanted=wanted, earlier=earlier)


@dataclass(frozen=True)
class Earlier:
    """Questions that were asked already, and the output of ``remote/check.sh`` about them."""

    asked: tuple[Ask, ...] = ()
    lines: Sequence[str] = ()

    def replies(self, known: Context) -> dict[Ask, Reply]:
        """The replies of a whole answer; none of another one: then all is asked again."""
        if not inquiry.whole(self.lines):
            return {}
        return dict(inquiry.read(known, self.asked, self.lines).replies)


def after(work: Planned, earlier: Earlier | None = None) -> tuple[Finding, ...]:
    """Findings of what the change can have touched, and of settings that were not looked at before.
    ``work`` has the snapshot and the plan of now.

    What is wrong is asked once more after a moment, because KWin reads a file with a delay, and
    units take a moment to start."""
    return prove(work, AFTER, wanted=_wanted(work), settle=True, earlier=earlier)


def foreseen(work: Planned) -> tuple[Ask, ...]:
    """The questions of ``after``, as far as they are known before the workspace is read again."""
    return _questions(work, AFTER, _wanted(work))


def at_first(work: Planned, wanted: Touched) -> tuple[Ask, ...]:
    """The questions of ``before``."""
    return _questions(work, frozenset(When), wanted)


def _questions(work: Planned, when: frozenset[When], wanted: Touched) -> tuple[Ask, ...]:
    known = context(work)
    return inquiry.questions(known, _jobs(work, known, when, wanted))


def _wanted(work: Planned) -> Touched:
    by, plan = touched_by(work), work.plan
    known = {name for name, one in plan.written.settings.items() if one.effect != NOT_LOOKED_AT}
    unseen = {
        standing.setting.id
        for standing in plan.standings
        if standing.stand in (Stand.LOCKED, Stand.HELD)
        or (standing.in_force and standing.setting.id not in known)
    }
    return replace(by, settings=by.settings | unseen | {*plan.to_prove})


def _jobs(
    work: Planned, known: Context, when: frozenset[When], wanted: Touched | None
) -> tuple[inquiry.Job, ...]:
    phases = read.stage_of(work, work.snapshot).phases
    todo = inquiry.jobs(
        known,
        ITEMS,
        PROOFS,
        when=when,
        phases=phases,
        chosen=work.choices.phases,
        wanted=wanted,
    )
    if work.run.task != "verify":
        return todo  # a run says what is held back with its plan
    held = {one.setting.id: one.why for one in work.plan.standings if one.stand is Stand.HELD}
    return tuple(
        replace(
            job, settled=unknown(held[job.setting.id].partition(OTHERWISE)[0], expected="in force")
        )
        if job.setting
        and job.setting.id in held
        and job.settled
        and not_known(work.snapshot, job.setting)
        else job
        for job in todo
    )


def prove(
    work: Planned,
    when: frozenset[When],
    *,
    wanted: Touched | None = None,
    settle: bool = False,
    earlier: Earlier | None = None,
) -> tuple[Finding, ...]:
    """Ask, judge and record each check as a ``finding``. ``wanted``: which checks; None: all;
    ``settle``: ask what is wrong once more after a moment; ``earlier``: what was asked already."""
    known = context(work)
    todo = _jobs(work, known, when, wanted)
    findings = list(ask(work, known, todo, earlier))
    again = [number for number, one in enumerate(findings) if one.effect in WRONG]
    if settle and again:
        time.sleep(SETTLE_S)
        for number, one in zip(again, ask(work, known, [todo[n] for n in again]), strict=True):
            findings[number] = one
    work.record(*map(FindingRecord.of, findings))
    return tuple(findings)


def ask(
    work: Given, known: Context, todo: Iterable[inquiry.Job], earlier: Earlier | None = None
) -> tuple[Finding, ...]:
    """A finding for each of these jobs, from one remote command, or from none where ``earlier`` has
    all answers. Where the connection broke, the command is sent again on a new one."""
    todo = tuple(todo)
    had = earlier.replies(known) if earlier else {}
    asked = tuple(one for one in inquiry.questions(known, todo) if one not in had)
    if had and not asked:
        return inquiry.findings(known, todo, Answers(had, sandbox=known.sandbox))
    answer = _check(work, known, asked)
    cut = not inquiry.whole(answer.lines) and (answer.lost or not remote.connected(work.host))
    if cut and work.reconnect():
        answer = _check(work, known, asked)
    failure = ""
    if not inquiry.whole(answer.lines):
        failure = answer.last_error if answer.errors else "the line was cut before its answer"
    answers = inquiry.read(known, asked, answer.lines, failure=failure)
    both = Answers({**had, **answers.replies}, sandbox=known.sandbox)
    return inquiry.findings(known, todo, both)


def _check(work: Given, known: Context, asked: Sequence[Ask]) -> Answer:
    questions = inquiry.arguments(known, asked)
    words, stdin = commands.asking(questions, inquiry.probes(asked), common=True)
    return work.remote("check", *words, stdin=stdin, timeout=limit(asked))


def limit(asked: Iterable[Ask]) -> int:
    """Seconds within which these questions are answered."""
    return SLACK_S + sum(ask.limit for ask in asked)


def table(work: Given, findings: Iterable[Finding], *, whole: bool = False) -> None:
    show(work.run.terminal, work.choices.workspace, findings, whole=whole)


def result(findings: tuple[Finding, ...]) -> tuple[Exit, str]:
    """The exit code of a verification, and its reason in one line."""
    worst = next(
        (
            finding
            for effect in (Effect.NOT_EFFECTIVE, Effect.UNKNOWN)
            for finding in findings
            if finding.effect is effect and finding.counts
        ),
        None,
    )
    text = summary(findings)
    if worst is not None:
        text += f"; first: {worst.setting or worst.check}"
    return verdict(findings), text


def against(
    work: Planned, known: tuple[Finding, ...], findings: tuple[Finding, ...]
) -> tuple[Finding, ...]:
    """The findings for which the change of this run is undone (``converge.proof.keep.against``)."""
    brought = frozenset(item.id for item in ITEMS if item.brought)
    return keep.against(known, findings, touched_by(work), brought=brought)


def record_of(work: Planned, findings: Iterable[Finding]) -> dict[str, SettingProof]:
    """The record of each setting after this proof."""
    return keep.proved(
        work.plan.written.settings,
        findings,
        touched_by(work),
        run=work.run.id,
        clock=work.snapshot.clock,
    )


def note(work: Planned, findings: Iterable[Finding]) -> None:
    """Write what was found of each setting into the workspace's record, where that says otherwise:
    what reads it there, from whichever controller, then knows it too. Nothing else is written, and
    nothing where another run is at work or decides: its own proof will say."""
    recorded, now = work.snapshot.written.settings, work.snapshot
    found = keep.found_since(
        recorded, work.plan.standings, findings, run=work.run.id, clock=now.clock
    )
    if work.run.dry or found == recorded:
        return
    try:
        busy = now.lock if now.lock and now.lock.alive else None
        one = now.open_transaction or now.open_trial
        if busy or one:
            raise Over(f"run {busy.run if busy else one.run if one else ''} is not over there")
        write.note(work, found)
    except Over as over:
        why = f"{over.why}; the record there is as it was, and the next tasks/verify.py writes it"
        work.step(NOTE, "left out", why)
    else:
        work.step(NOTE, "done")


def verify(work: Planned) -> Planned:
    """The effect of everything, now; it decides the exit code. The workspace's record is told."""
    from tasks.steps import forecast

    proved = prove(work, frozenset(When) - {When.BEFORE})
    findings = (*proved, *forecast.look(work))
    note(work, proved)
    table(work, findings, whole=work.run.diff)
    _, why = result(findings)
    outcome = verified(findings)
    if outcome is Outcome.NOWHERE and work.plan.not_applicable.keys() >= set(Layer):
        over = nothing_to_do(work)
        outcome, why = Outcome.of(over.code or outcome), over.why
    work.ends(outcome, why)
    return work
