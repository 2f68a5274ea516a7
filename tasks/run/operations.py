"""The one operation of this project: the steps of a workspace, each with a journal record before
and after.

All steps of a workspace are one operation, because pyinfra waits after every operation for the
slowest workspace (3.10, ``api/operations.py``). A change that is activated would pass its deadline
while another workspace still builds, and a workspace that waits for its canary would hold the
canary up as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pyinfra import host as current_host
from pyinfra import state as current_state
from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation

from converge.exits import Exit
from converge.journal.journal import JournalError
from tasks.run import canary
from tasks.run.begin import Work

NO_LIMIT_S = 7 * 24 * 3600  # pyinfra takes a number only, and 0 would end every step at once
#: What a step returns: the empty string when all went well, else why not.
Action = Callable[[], str]


@dataclass(frozen=True, kw_only=True)
class Step:
    """``noop`` says why there is nothing to do."""

    name: str
    step: str  # in the journal
    action: Action
    noop: str


_steps: WeakKeyDictionary[Work, list[Step]] = WeakKeyDictionary()


def perform(*, name: str, work: Work, step: str, action: Action, noop: str = "") -> None:
    """Add a step to those of ``work``. They are done in this order when pyinfra executes.

    An action that fails ends this workspace's part: nothing after it is attempted there.
    """
    steps = _steps.setdefault(work, [])
    steps.append(Step(name=name, step=step, action=action, noop=noop))
    if len(steps) == 1:  # pyinfra takes the operations of all workspaces on this line for one
        # Each command of a step has its own time limit, and a workspace may wait for its canary.
        _all(name="Converge", work=work, steps=steps, _timeout=NO_LIMIT_S)


@operation()
def _all(work: Work, steps: list[Step]) -> Generator[FunctionCommand, None, None]:
    """Do the steps. The plan is made by now, so change detection costs no remote command."""
    if not current_state.is_executing:
        if work.acts or not steps[0].noop:
            yield FunctionCommand(_do, (work, steps[0]), {})
        return
    waited = False
    for step in steps:
        if step.noop or not work.open:
            current_host.noop(f"{step.name}: {step.noop or 'its part is over'}")
            continue
        if not waited:
            waited = True
            yield FunctionCommand(canary.wait, (work,), {})
        yield FunctionCommand(_do, (work, step), {})
    canary.over(work)


def _do(state: Any, host: Any, work: Work, step: Step) -> bool:
    went_well = False
    try:
        went_well = _one(host, work, step)
    finally:
        if not went_well:  # pyinfra does no further step of this workspace
            canary.over(work)
    return went_well


def _one(host: Any, work: Work, step: Step) -> bool:
    if work.run.interrupted:
        _take_back(work)
    if not work.open or work.run.interrupted:
        return False
    try:
        work.step(step.step, "started")
        # From here on, what the workspace holds is known only from what the step reports.
        work.run.set(host.name, Exit.UNKNOWN, f"ended during: {step.step}")
        why = step.action()
        if work.open:
            work.run.set(host.name, Exit.FAILED, why or f"ended after: {step.step}")
        work.step(step.step, "failed" if why else "done", why)
    except JournalError as error:
        work.run.set(host.name, Exit.FAILED, f"stopped before the next step: {error}")
        _take_back(work)  # while the work is open: it knows where its transaction is
        work.open = False
        return False
    if why and work.open:
        work.stop(Exit.FAILED, f"{step.step}: {why}")
    if why and work.run.exits[host.name] is not Exit.UNKNOWN:
        work.remote("release", work.run.id, work.lock)
    return not why


def _take_back(work: Work) -> None:
    """Leave nothing in force that nobody will decide about: this run cannot go on."""
    undo, work.take_back = work.take_back, None
    if undo:
        with contextlib.suppress(JournalError):
            undo()
