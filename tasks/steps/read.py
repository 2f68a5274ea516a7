"""Read the workspace once, and compute the plan from what was read."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from converge.exits import Exit, Outcome
from converge.journal.journal import controller_state
from converge.journal.kinds import REFUSES, SnapshotRecord, TrialRecord
from converge.kde import chezmoi
from converge.plan import cascade, desired, held, layers, planning, saved, unread
from converge.plan.observed import SnapshotError, parse
from converge.plan.plan import Plan
from converge.plan.rollout import Stage, as_seen, stage
from converge.plan.snapshot import Lock, Snapshot, Transaction
from converge.plan.standing import ForbiddenSetting, Stand, Standing, standings
from converge.proof import keep
from converge.setting import Layer
from converge.subjects.settings import ALL
from converge.text.limits import frame
from converge.text.reason import reason_of, spoken
from tasks.reach import reading, remote
from tasks.run import waits
from tasks.run.run import PROJECT, READ_ONLY
from tasks.run.stages import Given, Over, Planned, Read
from tasks.steps.lock import take_lock

#: Tasks that do not begin while a change is on trial. A rollback may: it ends the trial.
CHANGING = frozenset({"deploy", "measure"})


def snapshot(work: Given) -> Read:
    """Read the workspace in one remote command. Raises ``Over`` where another run is at work."""
    found = take(work)
    seen(work, found)
    if not work.run.dry:
        if found.lock and found.lock.alive:
            raise Over(locked(found.lock), Exit.LOCKED)
        if found.lock:  # of a killed run; it is taken over even if this run needs no lock
            work.remote("release", found.lock.run, f"{found.state}/lock", "dead")
        found = _without_open_transaction(work, found)
        if work.run.task in CHANGING and (why := on_trial(found)):
            raise Over(why, Exit.LOCKED)
    why = stranger(work, found)
    if why and not (work.run.dry and work.run.task == "deploy"):
        raise Over(why, Exit.INVALID)
    if why:
        work.problem(f"{why}{REFUSES}")
    return Read.of(work, snapshot=found)


def seen(work: Given, found: Snapshot) -> None:
    """Record that the workspace was read, and how its trial stands."""
    work.record(SnapshotRecord(facts=found.facts, marks=tuple(sorted(found.marks))))
    tried = found.trial
    if tried is not None and tried.trial is not None:
        work.record(TrialRecord.of(tried.run, tried.trial, boot=found.facts["boot_id"]))


def on_trial(found: Snapshot) -> str:
    """Why no other change begins while one is on trial, or the empty string."""
    one = found.open_trial
    if one is None or one.trial is None:
        return ""
    boot = found.facts["boot_id"]
    then = one.trial.next_step(boot) or "wait for its end"
    return (
        f"run {one.run} is on trial there ({one.trial.stands(boot)}); nothing was changed; {then}"
    )


def to_leave(work: Read) -> str:
    """Why no new system may be made now, or the empty string: another user's is on trial, or a
    system runs whose change was undone, and a proof under it would be void after the restart."""
    if whose := work.snapshot.facts.get("trial_of"):
        user, _, run = whose.partition(" ")
        return (
            f"run {run} of {user} is on trial there; nothing was changed; wait for its end, or let "
            f"{user} take it back: tasks/rollback.py"
        )
    one = work.snapshot.runs_on
    if one is None or one.trial is None:
        return ""
    return (
        f"generation {one.trial.number} still runs, and its change (run {one.run}) was undone; "
        f"nothing was changed; {one.trial.next_step(work.snapshot.facts['boot_id'])}"
    )


def any_state(work: Given) -> Read:
    """Read the workspace, even while another run is at work: for tasks/confirm.py."""
    found = take(work)
    seen(work, found)
    if why := stranger(work, found):
        raise Over(why, Exit.INVALID)
    return Read.of(work, snapshot=found)


def stranger(work: Given, found: Snapshot) -> str:
    """A sentence, where the connected user is not the workspace's user; or the empty string."""
    if found.facts["user"] == work.choices.user:
        return ""
    return (
        f"connected as {found.facts['user']}, but the workspace belongs to {work.choices.user}; "
        "nothing was changed; connect as that user, or mend user in the inventory file"
    )


def take(work: Given) -> Snapshot:
    """Read the workspace. Raises ``Over`` where this fails."""
    found = attempt(work)
    if isinstance(found, str):
        raise Over(found)
    return found


def attempt(work: Given) -> Snapshot | str:
    """The snapshot, or why the workspace could not be read."""
    with work.waits(waits.PROGRAMS["read"]):
        answer = reading.answer(work.host, work.choices)
    return understood(answer)


def understood(answer: remote.Answer, earlier: Snapshot | None = None) -> Snapshot | str:
    """The snapshot in the answer of a reading, or why the workspace could not be read. ``earlier``:
    as for ``observed.parse``."""
    lines = unread.framed(answer.lines)
    if lines is None or not answer.ok:
        return unread.why(answer.lines, answer.errors, lost=answer.lost)
    try:
        return parse(lines, earlier)
    except Exception as error:  # a hostile answer ends this workspace's part, not the run
        if unread.lacks(answer.errors):
            return unread.why(answer.lines, answer.errors)
        said = (
            str(error) if isinstance(error, SnapshotError) else f"{type(error).__name__}: {error}"
        )
        return f"the workspace could not be read: {said}"[:1000]


def take_again(
    work: Given, once: Callable[[Given], Snapshot | str] | None = None
) -> Snapshot | None:
    """Read the workspace in the middle of a change, on a new connection where the old one broke.
    None where this fails; the change still has to be decided about."""
    once = once or attempt
    found = once(work)
    if isinstance(found, str) and not remote.connected(work.host) and work.reconnect():
        found = once(work)
    if not isinstance(found, str):
        found = stranger(work, found) or found
    if isinstance(found, str):
        work.problem(found)
        return None
    return found


def _without_open_transaction(work: Given, found: Snapshot) -> Snapshot:
    """The snapshot once no transaction is open: one whose process is gone is undone first. Raises
    ``Over`` where a transaction still runs, or where its undo fails."""
    one = found.open_transaction
    if one is None:
        last = found.last_transaction
        by_a_person = last is not None and (last.word, last.reason) == ("undone", "rolled back")
        if last and not by_a_person and (last.run != found.written.run or last.word == "broken"):
            work.problem(f"run {last.run} ended there: {last.word}: {spoken(last.reason)}")
        return found
    if one.alive and one.word in ("kept", "undone", "broken"):
        raise Over(
            f"run {one.run} has not ended there ({one.word}): its process is still at work; run it "
            "again when that has ended",
            Exit.LOCKED,
        )
    # Nobody holds the lock by now. A controller may come back on a new connection, but a person who
    # asks for the way back goes first.
    asked = work.run.task == "rollback" and work.choices.run in ("", one.run)
    if one.alive and not asked:
        raise Over(
            f"run {one.run} waits there for its controller ({one.word}); it undoes itself in "
            f"{max(0, one.left_s)} s unless it is confirmed; tasks/rollback.py undoes it now",
            Exit.LOCKED,
        )
    work.problem(f"run {one.run} was cut off while {one.word}: it is undone first")
    # The undo needs the lock, since another run may undo the same transaction.
    held = Read.of(work, snapshot=found)
    sudo = held.undone_by_root(one)
    take_lock(held)
    answer = work.remote("transact", "undo", one.directory, sudo=sudo)
    work.remote("release", work.run.id, held.lock)
    word, _, reason = answer.first("status").partition(" ")
    if word != "undone":
        raise Over(
            f"run {one.run} could not be undone: {reason or answer.last_error}; this run changed "
            f"nothing; {_way_out(one, answer)}",
            Exit.UNKNOWN,
        )
    if work.run.task == "rollback" and work.choices.run in ("", one.run):
        # The rollback has what it asked for. To go on would undo a second run.
        left = "left alone" in reason
        raise Over(
            f"run {one.run} is undone: {spoken(reason)}",
            Outcome.LEFT if left else Outcome.UNDONE,
            said=False,
        )
    work.problem(f"run {one.run} is undone: {reason}")
    return take(work)


def _way_out(one: Transaction, answer: remote.Answer) -> str:
    """A sentence: what a person can do where the undo of an open change failed."""
    if answer.lost:
        return "run it again: the record there tells how far the undo came"
    if answer.first("status"):
        return (
            f"after what is to be done by hand, tasks/rollback.py --data run={one.run} does what "
            f"is left; its record is {one.directory}"
        )
    files = one.directory.rpartition("/")[0]
    return (
        f"put back by hand what the manifests in {files} name, then move {one.directory} away: "
        "it holds every run up"
    )


def locked(lock: Lock) -> str:
    """A sentence: which run holds the workspace."""
    minutes = max(0, int(time.time() - lock.since)) // 60
    return (
        f"run {lock.run} by {lock.user} on {lock.host} (process {lock.pid}) has held this "
        f"workspace for {minutes} min; wait for it, or end it there"
    )


def plan_for(work: Given, found: Snapshot) -> Plan:
    """The plan for this snapshot. Raises ``ForbiddenSetting``."""
    choices, profile = work.choices, work.profile
    faults = layers.faults(found, profile, named=choices.named, root=choices.root)
    missing = layers.not_applicable(found, profile, faulty=faults)
    now = stage_of(work, found)
    stands = cascade.with_locks(found, _standings(work, found, now))
    found = _with_modified(work, found, stands)
    stands = held.with_holds(found, stands, prefer=choices.prefer)
    selected = choices.layers
    if layers.home_within(found) and Layer.HOME_MANAGER in selected:
        selected |= {Layer.NIXOS}  # the NixOS layer has the home; its own settings stay
    unselected = {layer: "not part of this run" for layer in Layer if layer not in selected}
    missing = {**unselected, **missing}
    identity = desired.Identity(workspace=choices.workspace, host=choices.host, user=choices.user)
    wanted = desired.desired(
        PROJECT,
        found,
        stands,
        identity=identity,
        hardware=profile.raw,
        root=choices.root,
        not_applicable=missing,
    )
    recorded = keep.intended(found.written.settings, stands, run=work.run.id, clock=found.clock)
    staged = is_staged(work, found)
    return planning.make_plan(
        choices.workspace,
        found,
        wanted,
        nix_layers=layers.nix_layers(
            found, root=choices.root, host=choices.host, user=choices.user
        ),
        standings=stands,
        not_applicable=missing,
        proved=recorded,
        staged=staged,
        waits=now.waits,
        faults=faults,
        to_prove=keep.to_prove(recorded, stands, staged=staged),
        prefer=choices.prefer,
    )


def _with_modified(work: Given, found: Snapshot, stands: Iterable[Standing]) -> Snapshot:
    """The snapshot with ``modified``: what the user's modify_ sources make of our entries."""
    modified: dict[str, bytes | str] = {}
    if work.choices.chezmoi_programs != "run":
        why = f"{chezmoi.NOTHING_RUN}, --data prefer=live writes the live file alone"
        modified = {path: why for path, _ in held.to_modify(found, stands)}
        return replace(found, modified=modified) if modified else found
    for path, text in held.to_modify(found, stands):
        answer = work.remote("modified", path, stdin=base64.encodebytes(text).decode(), timeout=60)
        try:
            code, made, errors = frame(answer.first("made"))
            modified[path] = made if code == 0 else reason_of(errors) or f"exit {code}"
        except ValueError:
            modified[path] = answer.last_error
    return replace(found, modified=modified) if modified else found


def is_staged(work: Given, found: Snapshot) -> bool:
    """Whether phases are let in one by one. Tasks that change nothing follow the workspace's
    record, so that a phase that is not let in yet does not count as a fault."""
    if work.choices.rollout == "staged":
        return True
    return work.run.task in READ_ONLY and found.written.staged


def stage_of(work: Given, found: Snapshot) -> Stage:
    """The phases of this run: all chosen phases, or those that a staged rollout has let in."""
    choices = work.choices
    if not is_staged(work, found):
        return Stage(phases=choices.phases)
    stands = _standings(work, found, Stage(phases=choices.phases))
    in_force = tuple(one.setting for one in stands if one.in_force)
    recorded = found.written.settings
    now = stage(recorded, in_force, choices.phases, found.clock, soak_s=choices.soak_hours * 3600)
    if work.run.task in READ_ONLY and recorded:
        due = work.run.task != "verify"
        return as_seen(now, recorded, in_force, choices.phases, due=due)
    return now


def _standings(work: Given, found: Snapshot, now: Stage) -> tuple[Standing, ...]:
    choices, profile = work.choices, work.profile
    stands = standings(
        ALL,
        facts=profile.facts,
        not_applicable=layers.not_applicable(
            found,
            profile,
            faulty=layers.faults(found, profile, named=choices.named, root=choices.root),
        ),
        phases=now.phases,
        layers=choices.layers,
        later=choices.phases - now.phases,
        accept=choices.accept,
        include=choices.include,
        exclude=choices.exclude,
    )
    return tuple(
        replace(one, stand=Stand.OTHER_PHASE, why="it is not let in yet")
        if one.in_force and one.setting.id in now.out
        else one
        for one in stands
    )


def plan(work: Read) -> Planned:
    """Make the plan. Raises ``Over``, also where ``plan=`` names a saved plan with another id."""
    try:
        made = plan_for(work, work.snapshot)
    except ForbiddenSetting as error:
        raise Over(str(error), Exit.INVALID) from error
    wanted = work.choices.plan
    if wanted and wanted != made.id and work.run.task == "deploy":
        shown = saved.load(controller_state() / "plans", wanted)
        raise Over(
            f"plan {wanted} is stale: {saved.stale(shown, made, home=work.snapshot.home)}; "
            f"it would be {made.id} now: look at it with --dry",
            Exit.FAILED,
        )
    return Planned.of(work, plan=made)
