"""A change that needs a reboot: offer it to the workspace as a trial, boot, and see how it ends.

After the boot the workspace decides by itself (``remote/trial.sh``), without the controller.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace

import gevent

from converge.boot import checks, wanted
from converge.exits import Exit, Outcome
from converge.journal.kinds import FindingRecord, ProblemRecord
from converge.plan.snapshot import Transaction
from converge.proof import inquiry
from converge.report.ending import latest
from converge.subjects.checks import PROOFS
from converge.trial import TrialState
from tasks.reach.payload import archive, encoded
from tasks.reach.remote import Answer, joined, program
from tasks.run.operations import step
from tasks.run.stages import Done, Kept, Over, Planned, Proved, Read
from tasks.steps import proof, read, write
from tasks.steps.transaction import ask

_BY_ID = {one.id: one for one in PROOFS}
AWAY_S = 900  # until a restarted machine answers; twice as long where it goes back by itself
POLL_S = 20


def _payload(proved: Proved) -> bytes:
    choices = proved.choices
    context = proof.context(proved)
    findings = latest(proved.run.records(FindingRecord, proved.host.name))
    asked = wanted.asked(context, findings, _BY_ID, session_s=choices.trial_session_s)
    members = {
        "trial.sh": program("trial"),
        "check.sh": program("check"),
        "probes": joined(*inquiry.PROBES),
        "checks": checks.written(asked),
        "options": wanted.options(choices, desktop=proved.profile.session.desktop != "none"),
    }
    return archive({name: (text.encode(), 0o640) for name, text in members.items()})


def offer(proved: Proved) -> None:
    """Send the workspace what it needs to try the change at its next boot, where an effect waits
    for a boot. Where the change cannot be tried, print why; it then becomes the default at once."""
    findings = latest(proved.run.records(FindingRecord, proved.host.name))
    if not any(build.nix.root for build in proved.needed_builds):
        return
    if not wanted.due(proved.choices, findings):
        return
    sent = _payload(proved)
    answer = ask(proved, "trial", hashlib.sha256(sent).hexdigest(), stdin=encoded(sent))
    word, _, why = answer.first("trial").partition(" ")
    if word != "ready":
        proved.step("trial", "found", untried(why or answer.last_error))


def untried(why: str) -> str:
    """A sentence: why a change is not tried."""
    return f"not tried at the next boot: {why}; it is the default then"


# -- the boot --------------------------------------------------------------------------------------


def _boots(planned: Planned) -> str:
    """``idle`` of the step that restarts the machine."""
    if not planned.transacts:
        return "nothing was activated"
    if planned.choices.trial_reboot != "allowed":
        return "a restart is left to a person (trial_reboot)"
    return ""


@step("boot it once", gives=Kept, idle=_boots, decides=True)
def boot(kept: Kept) -> Kept:
    """Restart the machine into the new generation, wait until the workspace has decided, and look
    at all effects again."""
    if not kept.tried:
        return kept
    before = kept.snapshot.facts["boot_id"]
    answer = ask(kept, "restart", timeout=60)
    if not answer.of("restarting") and not answer.lost:
        raise Over(f"the machine was not restarted: {answer.last_error}", Exit.UNKNOWN)
    word, why = _until_decided(kept, before)
    if word is not TrialState.KEPT:
        code = (
            Exit.ROLLED_BACK if word in (TrialState.UNDONE, TrialState.WENT_BACK) else Exit.UNKNOWN
        )
        raise Over(f"{word}: {why}", code, short=str(word))
    kept.step("trial", "found", f"kept: {why}")
    now = replace(kept, tried=False)
    found = read.take_again(kept)
    if found is not None:
        now = replace(now, snapshot=found, plan=read.plan_for(kept, found), paths={})
        findings = proof.after(now)
        write.proof(now, proof.record_of(now, findings))
    return now


def _until_decided(work: Planned, before: str) -> tuple[TrialState, str]:
    """How the trial ended. Raises ``Over`` where the machine does not answer in time."""
    choices = work.choices
    limit = AWAY_S + choices.trial_session_s + choices.trial_answer_s
    deadline = time.monotonic() + limit
    said = ""
    while time.monotonic() < deadline:
        answer = ask(work, "tried", str(POLL_S), timeout=POLL_S + 30)
        if answer.lost or not answer.of("trial"):
            gevent.sleep(2)
            continue
        word, _, why = answer.first("trial").partition(" ")
        if word in [state.value for state in TrialState] and not TrialState(word).open:
            return TrialState(word), why
        if answer.first("boot") != before and word != said:
            said = word
            work.step("trial", "found", f"{word}: {why}")
    raise Over(
        f"the machine has not decided within {limit} s; it comes back by itself when it is "
        "switched off and on; tasks/status.py says how it stands",
        Exit.UNKNOWN,
        short="no answer",
    )


# -- the person ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Waiting(Read):
    """A trial that waits for a person's answer."""

    waiting: Transaction


def choose(work: Read) -> Waiting:
    """Show the trial that waits, and set the outcome that counts without an answer."""
    one, boot = work.snapshot.open_trial, work.snapshot.facts["boot_id"]
    if one is None or one.trial is None:
        raise Over("no change is on trial there", Outcome.UNCHANGED, said=False)
    if one.trial.state is not TrialState.PROVING:
        raise Over(f"run {one.run} waits for no answer now: {one.trial.stands(boot)}")
    answer = _ask(work, one, "tried", "0")
    for line in answer.of("found"):
        work.record(ProblemRecord(text=f"after the reboot: {line}"))
    word = work.choices.answer
    work.record(ProblemRecord(text=f"run {one.run} is on trial: the answer would be {word}"))
    work.run.changes(work.host.name, f"run {one.run} waits for an answer")
    return Waiting.of(work, waiting=one)


@step("answer", gives=Done)
def answer(work: Waiting) -> Done:
    """Send the answer, and wait for the end of the trial."""
    one, word = work.waiting, work.choices.answer
    said = _ask(work, one, "answer", word)
    if not said.of("answer"):
        raise Over(said.last_error)
    first = said.first("answer")
    ended = _ask(work, one, "tried", "240", timeout=300)
    state, _, why = ended.first("trial").partition(" ")
    text = f"{state}: {why}"
    if first != word:
        text = f"{text}; somebody had said {first} before"
    match state:
        case "kept":
            return Done.of(work, code=Outcome.ANSWERED, why=text)
        case "undone" if first == "undo":
            return Done.of(work, code=Outcome.ANSWERED, why=text)
        case "undone" | "went-back":
            return Done.of(work, code=Exit.ROLLED_BACK, why=text)
    raise Over(f"it is not known how it ended: {text}", Exit.UNKNOWN)


def _ask(work: Read, one: Transaction, verb: str, *rest: str, timeout: int = 60) -> Answer:
    """Ask the transaction that is on trial, as root where root activated it."""
    sudo = work.undone_by_root(one)
    copy = f"{one.directory}/transact.sh"
    words = (verb, one.directory, *rest)
    return work.remote("transact", *words, copy=copy, sudo=sudo, timeout=timeout)
