"""Read the workspace once, and compute the plan from what was read."""

from __future__ import annotations

import contextlib
import time

from converge.exits import Exit
from converge.plan import desired, layers, planning
from converge.plan.plan import Plan
from converge.plan.rollout import Stage, stage
from converge.plan.setting import Layer
from converge.plan.snapshot import Lock, Snapshot
from converge.plan.standing import ForbiddenSetting, Standing, standings
from converge.plan.written import Proved
from converge.subjects.settings import ALL
from tasks.reach import remote
from tasks.reach.facts import WorkspaceSnapshot
from tasks.run.begin import Work
from tasks.run.run import PROJECT

LIMIT_S = 300  # a workspace that takes longer to be read is stopped


def arguments(work: Work) -> list[str]:
    """What ``remote/read.sh`` reads of a workspace: its flakes and every managed path."""
    choices = work.choices
    found = [choices.base_nixos, choices.base_home]
    for name in layers.KDE_FILES:
        found += ["-k", f"~/.config/{name}"]
    for setting in ALL:
        if setting.layer is Layer.SESSION:
            found += ["-f", desired.session_file(setting)[0]]
    for directory in (layers.HOME_LAYER, layers.system_layer(choices.root)):
        found += ["-d", directory]
    return found


def snapshot(work: Work) -> None:
    """Read everything in one remote command; refuse when another run is at work."""
    if not work.open:
        return
    found = take(work)
    if found is None:
        return
    work.snapshot = found
    work.record("snapshot", facts=dict(found.facts), marks=sorted(found.marks))
    if found.lock and found.lock.alive and not work.run.dry:
        work.stop(Exit.LOCKED, locked(found.lock))
    elif not work.run.dry and not _no_open_transaction(work, found):
        return
    elif found.facts["user"] != work.choices.user:
        why = (
            f"connected as {found.facts['user']}, but the workspace belongs to "
            f"{work.choices.user}: connect as that user"
        )
        if work.run.dry:
            work.record("problem", text=f"{why} (a run refuses)")
        else:
            work.stop(Exit.INVALID, why)


def take(work: Work, *, fatal: bool = True) -> Snapshot | None:
    """Read the workspace. Where that does not succeed the work is over, if it is ``fatal``."""
    found: Snapshot | None = None
    with contextlib.suppress(*remote.LOST), remote.limited(LIMIT_S):
        found = work.host.get_fact(
            WorkspaceSnapshot,
            root=work.choices.root,
            arguments=arguments(work),
            _ignore_errors=True,
            _timeout=LIMIT_S,
        )
    if found is None and fatal:
        work.stop(Exit.FAILED, "the workspace could not be read; what it said stands above")
    return found


def take_again(work: Work) -> Snapshot | None:
    """Read the workspace in the middle of a change, on a new connection where the old one broke:
    the change is still there to be decided about."""
    found = take(work, fatal=False)
    if found is None and not remote.connected(work.host) and work.reconnect():
        found = take(work, fatal=False)
    return found


def _no_open_transaction(work: Work, found: Snapshot) -> bool:
    """Wait for nobody: a change that is being proved blocks a run; one whose process is gone is
    undone first. What became of the last one is said."""
    one = found.open_transaction
    if one is None:
        last = found.last_transaction
        if last and last.run != found.written.run:
            work.record("problem", text=f"run {last.run} ended there: {last.word}: {last.reason}")
        return True
    if one.alive:
        work.stop(
            Exit.LOCKED,
            f"run {one.run} is being proved there ({one.word}); it undoes itself in "
            f"{max(0, one.left_s)} s unless it is confirmed",
        )
        return False
    work.record("problem", text=f"run {one.run} was cut off while {one.word}: it is undone first")
    sudo = not one.directory.startswith(found.state) and found.needs_sudo
    answer = work.remote("transact", "undo", one.directory, sudo=sudo)
    word, _, reason = answer.first("status").partition(" ")
    if word != "undone":
        work.stop(Exit.UNKNOWN, f"run {one.run} could not be undone: {reason or answer.last_error}")
        return False
    work.record("problem", text=f"run {one.run} is undone: {reason}")
    again = take(work)
    work.snapshot = again
    return again is not None


def locked(lock: Lock) -> str:
    """Who holds the workspace, for a person."""
    minutes = max(0, int(time.time() - lock.since)) // 60
    return (
        f"run {lock.run} by {lock.user} on {lock.host} (process {lock.pid}) has held this "
        f"workspace for {minutes} min; wait for it, or end it there"
    )


def plan_for(work: Work, found: Snapshot) -> Plan:
    """The plan for what was read. Raises ``ForbiddenSetting``."""
    choices, profile = work.choices, work.profile
    missing = layers.not_applicable(found, profile)
    now = stage_of(work, found)
    stands = standings(
        ALL,
        facts=profile.facts,
        not_applicable=missing,
        phases=now.phases,
        layers=choices.layers,
        accept=choices.accept,
        include=choices.include,
        exclude=choices.exclude,
    )
    unselected = {layer: "not part of this run" for layer in Layer if layer not in choices.layers}
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
    return planning.make_plan(
        choices.workspace,
        found,
        wanted,
        nix_layers=layers.nix_layers(
            found, root=choices.root, host=choices.host, user=choices.user
        ),
        standings=stands,
        not_applicable=missing,
        proved=_proved(work, found, now, stands),
        waits=now.waits,
    )


def stage_of(work: Work, found: Snapshot) -> Stage:
    """The phases of this run: all that are chosen, or those that a staged rollout has come to."""
    choices = work.choices
    if choices.rollout != "staged":
        return Stage(phases=choices.phases)
    return stage(
        found.written.phases, choices.phases, found.clock, soak_s=choices.soak_hours * 3600
    )


def _proved(
    work: Work, found: Snapshot, now: Stage, stands: tuple[Standing, ...]
) -> dict[str, Proved]:
    """The phases that are proved once this run's plan is kept."""
    clock = found.clock
    entry = Proved(run=work.run.id, boot=clock.boot, uptime_s=clock.uptime_s)
    held = {standing.setting.phase for standing in stands if standing.in_force}
    if work.choices.rollout == "staged" and now.entering:
        held.add(now.entering)  # a phase of which nothing applies here is proved by that
    new = {phase.value: entry for phase in held if phase in now.phases}
    return {**new, **found.written.phases}


def make(work: Work) -> None:
    """Compute the plan; a saved one that is named must be exactly this one."""
    if not work.open or work.snapshot is None:
        return
    try:
        work.plan = plan_for(work, work.snapshot)
    except ForbiddenSetting as error:
        work.stop(Exit.INVALID, str(error))
        return
    wanted = work.choices.plan
    if wanted and wanted != work.plan.id:
        work.stop(
            Exit.FAILED,
            f"plan {wanted} is stale: the plan is now {work.plan.id}; look at it with --dry --diff",
        )
