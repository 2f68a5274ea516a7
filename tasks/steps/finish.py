"""The end of a workspace's part: release the lock and set the outcome."""

from __future__ import annotations

from collections.abc import Iterable

from converge.effect import Finding
from converge.exits import Exit, Outcome
from converge.journal.kinds import FindingRecord
from converge.plan.written import SettingProof
from converge.report.ending import applied, latest
from tasks.run.operations import step
from tasks.run.stages import Done, Kept, Over
from tasks.steps import show, write

TRIAL = "restart the machine: it boots the change once, and comes back by itself if it fails"


@step(
    "release the lock",
    gives=Done,
    idle=lambda planned: "" if planned.acts else "nothing was written",
)
def run(kept: Kept) -> Done:
    """Release the lock, and set the outcome by what the proof found. A run that only looked writes
    its findings into the record."""
    if kept.plan.to_prove and not kept.transacts:
        write.proof(kept, kept.proof)
    elif kept.holds_lock:
        answer = kept.remote("release", kept.run.id, kept.lock)
        if not answer.ok:
            raise Over(f"the lock was not released: {answer.last_error}")
    findings = latest(kept.run.records(FindingRecord, kept.host.name))
    earlier = _earlier(kept, findings)
    outcome = applied(findings, kept.not_known, earlier=[one.effect for one in earlier.values()])
    if kept.tried and outcome.exit is Exit.DONE:
        return Done.of(kept, code=Outcome.ON_TRIAL, why=TRIAL)
    if not kept.transacts and outcome.exit is Exit.DONE:
        left = show.waiting(kept, earlier)
        why = "the record of the workspace is up to date" + (f"; {left}" if left else "")
        return Done.of(kept, code=Outcome.UNCHANGED, why=why)
    left = show.waiting(kept, earlier)
    # The reason of the outcome: what is not known, what earlier runs left open, the trial.
    because = (kept.not_known, left, TRIAL if kept.tried else "")
    return Done.of(kept, code=outcome, why="; ".join(filter(None, because)))


def _earlier(kept: Kept, findings: Iterable[Finding]) -> dict[str, SettingProof]:
    """What the workspace's record has of the settings in force that this run did not look at."""
    told = {one.setting for one in findings}
    wanted = {one.setting.id for one in kept.plan.standings if one.in_force} - told
    recorded = kept.proof if kept.proves else kept.plan.written.settings
    return {name: one for name, one in recorded.items() if name in wanted}
