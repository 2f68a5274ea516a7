"""The end of a workspace's part: the lock is released."""

from __future__ import annotations

from converge.exits import Exit, Outcome
from converge.journal.kinds import FindingRecord
from converge.report.ending import applied, latest
from tasks.run.operations import step
from tasks.run.stages import Done, Kept, Over
from tasks.steps import write

TRIAL = "restart the machine: it boots the change once, and comes back by itself if it fails"


@step(
    "release the lock",
    gives=Done,
    idle=lambda planned: "" if planned.acts else "nothing was written",
)
def run(kept: Kept) -> Done:
    """Release the lock; the word of the run is what its proof found. A run that only looked writes
    what it found."""
    if kept.plan.to_prove and not kept.transacts:
        write.proof(kept, kept.proof)
    elif kept.holds_lock:
        answer = kept.remote("release", kept.run.id, kept.lock)
        if not answer.ok:
            raise Over(f"the lock was not released: {answer.last_error}")
    outcome = applied(latest(kept.run.records(FindingRecord, kept.host.name)), kept.not_known)
    if kept.tried and outcome.exit is Exit.DONE:
        return Done.of(kept, code=Outcome.ON_TRIAL, why=TRIAL)
    if not kept.transacts and outcome.exit is Exit.DONE:
        return Done.of(
            kept, code=Outcome.UNCHANGED, why="the record of the workspace is up to date"
        )
    return Done.of(kept, code=outcome, why=kept.not_known)
