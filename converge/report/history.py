"""The last proofs of a workspace. In: journals of earlier runs. Out: their findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from converge.effect import Finding
from converge.journal import journal
from converge.journal.kinds import FindingRecord, RunStartRecord, SnapshotRecord

FIRST = 64 * 1024  # bytes of a first line that are read


@dataclass(frozen=True, kw_only=True)
class RunFindings:
    """What one run found on a workspace, the last finding of each check."""

    run: str
    time: str  # UTC, ISO 8601
    task: str
    findings: tuple[Finding, ...]

    def of(self, setting: str) -> Finding | None:
        return next((finding for finding in self.findings if finding.setting == setting), None)


def proofs(runs: Path, workspace: str, facts: Mapping[str, str]) -> Iterable[RunFindings]:
    """The findings of earlier runs, newest first. A journal that cannot be read is left out, and so
    is a run on another workspace of that name. ``facts``: of a snapshot of this one."""
    here = _home(facts)
    for path in sorted(runs.glob("*/journal.jsonl"), reverse=True):
        try:
            if not _may_prove(path, workspace):
                continue
            lines = journal.read(path)
        except OSError:
            continue
        found: dict[tuple[str, str], Finding] = {}
        time = task = ""
        there = here
        for line in lines:
            if isinstance(line.record, RunStartRecord):
                task = line.record.task
            if isinstance(line.record, SnapshotRecord) and line.workspace == workspace:
                there = _home(line.record.facts)
            if isinstance(line.record, FindingRecord) and line.workspace == workspace:
                finding = line.record.finding
                found[finding.check, finding.setting] = finding
                time = line.time
        if found and there == here:
            yield RunFindings(
                run=path.parent.name, time=time, task=task, findings=tuple(found.values())
            )


def _home(facts: Mapping[str, str]) -> tuple[str | None, ...]:
    return tuple(map(facts.get, ("hostname", "state")))


def _may_prove(path: Path, workspace: str) -> bool:
    """Whether the first line of a journal says that the run may have findings of the workspace. Dry
    runs and runs elsewhere are left out without reading more of them."""
    with path.open("rb") as file:
        first = journal.objects(file.readline(FIRST))
        for start in journal.of_kind(map(journal.Line.of, first), RunStartRecord):
            return start.mode != "dry run" and workspace in start.workspaces
    return True


def last(runs: Path, workspace: str, facts: Mapping[str, str]) -> RunFindings | None:
    return next(iter(proofs(runs, workspace, facts)), None)


def last_of(
    runs: Path, workspace: str, facts: Mapping[str, str], setting: str
) -> tuple[RunFindings, Finding] | None:
    """The newest run with a finding of the setting, and this finding; or None."""
    for proof in proofs(runs, workspace, facts):
        if finding := proof.of(setting):
            return proof, finding
    return None
