"""The end of a workspace's part: the lock is released."""

from __future__ import annotations

from converge.exits import Exit
from tasks.run.begin import Work
from tasks.run.operations import perform


def run(work: Work) -> None:
    """Release the lock; from here on the run has converged."""

    def action() -> str:
        if work.holds_lock:
            answer = work.remote("release", work.run.id, work.lock)
            if not answer.ok:
                return f"the lock was not released: {answer.last_error}"
        work.open = False
        work.run.set(work.host.name, Exit.CONVERGED, work.not_known)
        return ""

    perform(
        name="Release the lock",
        work=work,
        step="release the lock",
        action=action,
        noop="" if work.acts else "nothing was written",
    )
