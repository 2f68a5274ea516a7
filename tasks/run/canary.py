"""A canary first: until it has ended well, nothing is changed on the workspaces that name it.

Every workspace is read and planned at once. A workspace with a canary then waits before its first
step until the part of the canary is over. It goes on only if the canary kept proved changes or had
no changes to make.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from gevent.event import Event

from converge.exits import Exit, Outcome
from tasks.reach import remote
from tasks.run.stages import Over, Workspace

_over: defaultdict[str, Event] = defaultdict(Event)  # by workspace


def over(work: Workspace) -> None:
    """Note that the part of this workspace is over and its result is set."""
    _over[work.choices.workspace].set()


def wait(state: Any, host: Any, work: Workspace) -> bool:
    """Wait for the canary of ``work``. False ends the part of this workspace, nothing changed.

    Raises ``Over`` where the canary did not converge."""
    name, run = work.choices.canary, work.run
    if not name or name == work.choices.workspace:
        return True
    canary = next(host for host, (one, _) in run.inputs.items() if one.workspace == name)
    step = f"wait for the canary {name}"
    work.step(step, "started")
    # A canary that could not be connected executes no step, so its end is never noted.
    if any(host.name == canary for host in state.activated_hosts):
        with work.waits(step):
            _over[name].wait()
    if run.interrupted:
        return False
    outcome, why = run.outcomes[canary], run.whys[canary]
    if outcome.exit is Exit.DONE and outcome is not Outcome.ON_TRIAL:
        work.step(step, "done", f"it ended: {outcome}" + (f" ({why})" if why else ""))
        return remote.connected(host) or work.reconnect()  # the wait may have been long
    because = f"the canary {name} ended: {outcome}" + (f" ({why})" if why else "")
    work.step(step, "failed", because)
    raise Over(f"nothing was changed: {because}", Outcome.NOT_STARTED)
