"""The end of a workspace's part: the lock is released."""

from __future__ import annotations

from tasks.run.operations import step
from tasks.run.stages import Done, Kept, Over


@step(
    "release the lock",
    gives=Done,
    idle=lambda planned: "" if planned.acts else "nothing was written",
)
def run(kept: Kept) -> Done:
    """Release the lock; from here on the run has converged."""
    if kept.holds_lock:
        answer = kept.remote("release", kept.run.id, kept.lock)
        if not answer.ok:
            raise Over(f"the lock was not released: {answer.last_error}")
    return Done.of(kept, why=kept.not_known)
