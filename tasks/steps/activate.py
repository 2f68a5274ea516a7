"""Activate a change, prove it, then keep it; else it is undone. All of it happens on the workspace.

The controller sends one transaction, asks how it stands, and says "confirm" or "undo". When it is
gone, or the line is, the workspace undoes the change by itself after the deadline.
"""

from __future__ import annotations

import io
import tarfile
from base64 import encodebytes
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from converge.exits import Exit
from converge.plan.snapshot import Generation, Snapshot
from converge.proof.effect import Effect
from tasks.reach.payload import pack
from tasks.reach.remote import PROGRAMS, Answer, program
from tasks.run.begin import Work
from tasks.run.operations import perform
from tasks.steps import read
from tasks.steps.write import record

ATTEMPTS = 3  # the desktop may write between our reading and our writing
#: Faults that are looked for before a change and end the run: it could not be undone safely.
BLOCKING = frozenset({"disk.room", "before.boot-menu"})
#: What must be well for a staged rollout to go on.
HEALTH = frozenset({"journal.crashes", "journal.memory", "system.state", "user.state"})
NOTHING = "nothing was changed"  # how remote/transact.sh begins its reason then
ACTIVATION_S = 1800  # switching a system can take minutes; its deadline starts only after that


def as_root(work: Work) -> bool:
    assert work.snapshot is not None
    return work.snapshot.needs_sudo and any(build.nix.root for build in work.needed_builds)


def directory(work: Work) -> str:
    """The transaction's directory; it belongs to whoever activates."""
    assert work.snapshot is not None
    base = work.system_record if as_root(work) else work.record_directory
    return f"{base}/transaction"


def plan_lines(work: Work, attempt: int) -> Iterator[str]:
    """The transaction's plan: what is undone, from which state (``remote/transact.sh``)."""
    snapshot = work.snapshot
    assert snapshot is not None
    yield f"run {work.run.id}"
    yield f"number {1 + max((one.number for one in snapshot.transactions), default=0)}"
    yield f"deadline {work.choices.deadline_s}"
    yield f"user {snapshot.facts['user']}"
    yield f"written {snapshot.state}/written.json"
    yield f"rollback {snapshot.state}/rollback"
    yield f"after_reboot {snapshot.expand('~/.config/systemd/user/workspace-tuning-undo.service')}"
    for place, owner, part in work.records:
        yield f"record {place} {owner} {part}"
    if work.live:
        yield f"live {work.record_directory}/live-{attempt} user"
    for build in work.needed_builds:
        current = snapshot.current(build.nix.profile)
        number, old = (str(current.number), current.path) if current else ("-", "-")
        if build.nix.root:
            old = snapshot.running_system or "-"
        name = "system" if build.nix.root else "home"
        path = work.paths[build.nix.layer.value]
        yield f"{name} {path} {snapshot.profiles[build.nix.profile]} {number} {old}"


def payload(work: Work, attempt: int) -> str:
    """The standard input of ``transact.sh start``."""
    assert work.snapshot is not None
    live = pack(work.live, home=work.snapshot.home)
    public = {
        "plan": "".join(f"{line}\n" for line in plan_lines(work, attempt)).encode(),
        "after-reboot": (PROGRAMS / "after-reboot.service").read_bytes(),
        **{f"{name}.sh": program(name).encode() for name in ("transact", "write", "rollback")},
        "undo.sh": (PROGRAMS / "undo.sh").read_bytes(),
    }
    secret = {"live": live.encode(), "written": record(work).after or b""}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in {**public, **secret}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600 if name in secret else 0o644
            archive.addfile(member, io.BytesIO(content))
    return encodebytes(buffer.getvalue()).decode()


def ask(work: Work, *arguments: str, stdin: str = "", timeout: int = 300) -> Answer:
    """Ask the transaction something; a lost line is opened again, the question asked again.

    Every question may be asked twice: only the first decision counts, and waiting changes nothing.
    """
    verb, *rest = arguments
    sudo = as_root(work)
    answer = work.remote(
        "transact", verb, directory(work), *rest, stdin=stdin, sudo=sudo, timeout=timeout
    )
    if answer.lost and work.reconnect():
        again = ("wait", "60") if verb == "start" else arguments
        answer = work.remote(
            "transact", again[0], directory(work), *again[1:], sudo=sudo, timeout=timeout
        )
    return answer


def standing(answer: Answer) -> tuple[str, str]:
    """Word and reason of the transaction's status; "lost" when it could not be asked."""
    if answer.of("none"):
        return "none", "the connection was lost before the change was begun"
    if answer.of("gone"):
        return "gone", "its process ended without a result"
    word, _, reason = answer.first("status").partition(" ")
    return (word, reason) if word else ("lost", answer.last_error)


def preflight(work: Work) -> None:
    """What has to hold before anything is written; the faults that are there are not this run's."""

    def action() -> str:
        from tasks.steps import proof

        work.known = proof.before(work)
        faults = [
            one
            for one in work.known
            if one.effect is Effect.NOT_EFFECTIVE and one.counts and one.check in BLOCKING
        ]
        if faults:
            return f"{faults[0].title}: found {faults[0].found}"
        return _let_in(work)

    perform(
        name="Look before the change",
        work=work,
        step="look before the change",
        action=action,
        noop="" if work.transacts else "nothing to activate",
    )


def _let_in(work: Work) -> str:
    """Why a staged rollout does not let the next phase in, or the empty string.

    The phase before it must have run without a crash, a kill or a failed unit; what cannot be seen
    is not that."""
    assert work.snapshot is not None
    stage = read.stage_of(work, work.snapshot)
    if stage.entering is None or stage.after is None:
        return ""
    for one in work.known:
        if one.check in HEALTH and one.effect in (Effect.NOT_EFFECTIVE, Effect.UNKNOWN):
            found = one.reason or one.found
            return (
                f"phase {stage.entering} is not let in after phase {stage.after}: "
                f"{one.title}: {one.effect}: {found}"
            )
    return ""


def prove(work: Work) -> None:
    """Look at the workspace as it is now: has every setting the effect that it should have?"""

    def action() -> str:
        from tasks.steps import proof

        held = work.snapshot, work.plan
        found = read.take_again(work)
        if found is None:  # what cannot be looked at is not proved
            work.disproved = "the workspace could not be read after the change"
            return ""
        work.snapshot, work.plan = _as_if_kept(work, found), read.plan_for(work, found)
        findings = proof.after(work)
        work.snapshot, work.plan = held
        code, why = proof.proved(work.known, findings)
        if code is Exit.FAILED:
            worst = next(one for one in findings if proof.counts_against(work.known, one))
            work.disproved = (
                f"{worst.setting or worst.check}: expected {worst.expected}, found {worst.found}"
            )
            proof.table(work, findings)
        elif code is Exit.UNKNOWN:
            work.not_known = why
        work.step("prove", "found", why)
        return ""

    perform(
        name="Prove",
        work=work,
        step="prove",
        action=action,
        noop="" if work.transacts else "nothing was activated",
    )


def _as_if_kept(work: Work, found: Snapshot) -> Snapshot:
    """The snapshot with what was activated as the current generations, which it becomes when kept:
    the checks then look at what runs and not at what the profiles still point to."""
    generations = dict(found.generations)
    for build in work.needed_builds:
        path = work.paths[build.nix.layer.value]
        older = generations.get(build.nix.profile, ())
        number = max((one.number for one in older), default=0) + 1
        generations[build.nix.profile] = (
            *(replace(one, current=False) for one in older),
            Generation(number=number, path=path, current=True),
        )
    return replace(found, generations=generations)


def begin(work: Work) -> None:
    """Write the live files and activate what was built, in a process of the workspace's own."""

    def action() -> str:
        for attempt in range(1, ATTEMPTS + 1):
            answer = ask(work, "start", stdin=payload(work, attempt))
            if not answer.of("started") and not answer.of("status"):
                return _unknown(work, answer) if answer.lost else answer.last_error
            word, reason = _wait(work)
            if word == "activated":
                work.take_back = partial(_take_back, work)
                return ""
            if word == "undone" and reason.startswith(f"{NOTHING}: stale"):
                work.step("activate", "stale", reason)
                why = _again(work)
                if why:
                    return why
                continue
            return ended(work, word, reason)
        return "a file kept changing while it was to be written; nothing was changed"

    perform(
        name="Activate",
        work=work,
        step="activate",
        action=action,
        noop="" if work.transacts else "nothing to activate",
    )


def _wait(work: Work) -> tuple[str, str]:
    for _ in range(ACTIVATION_S // 20):
        word, reason = standing(ask(work, "wait", "20"))
        if word not in ("activating", "undoing"):
            return word, reason
    return "lost", "activation did not end"


def _again(work: Work) -> str:
    """Make the plan anew, because the workspace changed. Why it cannot be applied, or nothing."""
    found = read.take_again(work)
    if found is None:
        return "the workspace changed, and could not be read again"
    work.snapshot = found
    work.plan = read.plan_for(work, found)
    if work.plan.refusals:
        first = work.plan.refusals[0]
        return f"{first.path}: {first.what}; to do: {first.fix}"
    return ""


def _take_back(work: Work) -> None:
    answer = ask(work, "decide", "undo")
    word, reason = ("lost", answer.last_error) if answer.lost else standing(answer)
    code, why = meaning(work, word, reason)
    work.run.set(work.host.name, code, why)
    work.step("take back", "done" if word == "undone" else "failed", why)


def _unknown(work: Work, answer: Answer) -> str:
    work.stop(
        Exit.UNKNOWN,
        f"the connection was lost ({answer.last_error}); unless it was confirmed, the change is "
        f"undone there within {work.choices.deadline_s} s; the next run tells",
    )
    return "connection lost"


def meaning(work: Work, word: str, reason: str) -> tuple[Exit, str]:
    """What the end of a transaction is for this run."""
    match word:
        case "kept":
            return Exit.CONVERGED, reason
        case "undone" if reason.startswith(NOTHING):
            return Exit.FAILED, reason
        case "undone":
            return Exit.ROLLED_BACK, f"undone: {work.disproved or reason}"
        case "broken":
            return Exit.UNKNOWN, f"the rollback failed: {reason}"
        case "none":
            return Exit.FAILED, f"{reason}; nothing was activated"
        case "gone":
            return Exit.UNKNOWN, f"{reason}; the next run undoes it"
    return (
        Exit.UNKNOWN,
        f"{reason}; unless confirmed it is undone within {work.choices.deadline_s} s",
    )


def ended(work: Work, word: str, reason: str) -> str:
    """End this workspace's part with its transaction, unless it was kept."""
    if word == "kept":
        return ""
    work.stop(*meaning(work, word, reason))
    return word


def decide(work: Work) -> None:
    """Keep what was proved: the built paths become generations, the system the boot default."""

    def action() -> str:
        verb = "undo" if work.disproved else "confirm"
        work.take_back = None
        answer = ask(work, "decide", verb)
        if answer.lost:
            return _unknown(work, answer)
        word, reason = standing(answer)
        if word == "kept":
            work.step("kept", "done", reason)
            return ""
        return ended(work, word, reason)

    perform(
        name="Keep or undo",
        work=work,
        step="keep or undo",
        action=action,
        noop="" if work.transacts else "nothing was activated",
    )
