"""The one operation of this project: a step of a plan, with a journal record before and after."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from pyinfra import host as current_host
from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation

from converge.exits import Exit
from converge.journal import JournalError
from tasks.begin import Work

#: What a step returns: the empty string when all went well, else why not.
Action = Callable[[], str]


@operation()
def perform(
    work: Work, step: str, action: Action, noop: str = ""
) -> Generator[FunctionCommand, None, None]:
    """Do ``action`` as the step ``step``, unless ``noop`` says why there is nothing to do.

    The plan was made from the snapshot, so change detection costs no remote command. An action
    that fails ends this workspace's part: nothing after it is attempted there.
    """
    if noop or not work.open:
        current_host.noop(noop or "this workspace's part is over")
        return
    yield FunctionCommand(_do, (work, step, action), {})


def _do(state: Any, host: Any, work: Work, step: str, action: Action) -> bool:
    if not work.open or work.run.interrupted:
        return False
    try:
        work.step(step, "started")
        # From here on, what the workspace holds is known only from what the step reports.
        work.run.set(host.name, Exit.UNKNOWN, f"ended during: {step}")
        why = action()
        if work.open:
            work.run.set(host.name, Exit.FAILED, why or f"ended after: {step}")
        work.step(step, "failed" if why else "done", why)
    except JournalError as error:
        work.run.set(host.name, Exit.FAILED, f"stopped before the next step: {error}")
        work.open = False
        return False
    if why and work.open:
        work.stop(Exit.FAILED, f"{step}: {why}")
    if why and work.run.exits[host.name] is not Exit.UNKNOWN:
        work.remote("release", work.run.id, work.lock)
    return not why
