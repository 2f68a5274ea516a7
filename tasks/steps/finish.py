"""The end of a workspace's part: the lock is released."""

from __future__ import annotations

from converge.exits import Outcome
from converge.report.ending import applied, latest
from tasks.run.operations import step
from tasks.run.stages import Done, Kept, Over


@step(
    "release the lock",
    gives=Done,
    idle=lambda planned: "" if planned.acts else "nothing was written",
)
def run(kept: Kept) -> Done:
    """Release the lock; the word of the run is what its proof found."""
    if kept.holds_lock:
        answer = kept.remote("release", kept.run.id, kept.lock)
        if not answer.ok:
            raise Over(f"the lock was not released: {answer.last_error}")
    if not kept.transacts:
        return Done.of(
            kept, code=Outcome.UNCHANGED, why="the record of the workspace is up to date"
        )
    findings = latest(kept.run.records("finding", kept.host.name))
    return Done.of(kept, code=applied(findings, kept.not_known), why=kept.not_known)
