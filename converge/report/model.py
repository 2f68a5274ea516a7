"""The report of a run. In: the lines of one or more journals. Out: a frozen ``Report``.

A journal can be cut at any byte, and its values came from machines that others control. A field
that is missing or of another type is read as empty, never as something good, and never raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from converge.exits import Outcome
from converge.journal.form import taken
from converge.journal.journal import Line, last_of_kind, objects, of_kind
from converge.journal.kinds import (
    DriftRecord,
    EstimateRecord,
    FindingRecord,
    PlanRecord,
    ProblemRecord,
    ResultRecord,
    RunEndRecord,
    RunStartRecord,
    SnapshotRecord,
    TrialRecord,
    VerdictRecord,
)
from converge.journal.measured import MeasurementRecord, MemoryRecord
from converge.report.parts import (
    ReportedChange,
    ReportedEntry,
    ReportedFact,
    ReportedFinding,
    ReportedMeasurement,
    ReportedMemory,
    ReportedSetting,
    ReportedStep,
    drift,
    newest,
    seconds,
    steps,
    undo,
)
from converge.text.redact import harmless, visible

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class ReportedJournal:
    """A journal that went into a report."""

    path: str
    run: str
    task: str
    records: int
    complete: bool  # the journal has the record of the run's end, and can be read wholly
    cut: str  # what is wrong with it, or ""


@dataclass(frozen=True, kw_only=True)
class ReportedWorkspace:
    """All that the journals say of one workspace."""

    name: str
    outcome: str = ""  # "": the run recorded none
    why: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    plan: str = ""
    problems: tuple[str, ...] = ()
    changes: tuple[ReportedChange, ...] = ()
    entries: tuple[ReportedEntry, ...] = ()
    drift: tuple[DriftRecord, ...] = ()
    findings: tuple[ReportedFinding, ...] = ()
    gates: tuple[ReportedFact, ...] = ()
    measurements: tuple[ReportedMeasurement, ...] = ()
    memory: tuple[ReportedMemory, ...] = ()
    settings: tuple[ReportedSetting, ...] = ()
    estimates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    steps: tuple[ReportedStep, ...] = ()
    undo: tuple[str, ...] = ()
    trial: TrialRecord | None = None  # the last record of a trial


@dataclass(frozen=True, kw_only=True)
class Report:
    """The report of a run. ``exit``: None where the run recorded no end."""

    run: str
    version: str
    task: str
    mode: str
    started: str
    ended: str
    seconds: float | None
    outcome: str
    exit: int | None
    cut: str  # why the first journal is not whole, or ""
    workspaces: tuple[ReportedWorkspace, ...]
    sources: tuple[ReportedJournal, ...]

    @property
    def dry(self) -> bool:
        return self.mode == "dry run"


@dataclass(frozen=True, kw_only=True)
class JournalFile:
    """The harmless lines of one journal file."""

    source: ReportedJournal
    lines: tuple[Line, ...]


def load(path: Path) -> JournalFile:
    """Read a journal, with any content. Raises ``OSError``."""
    content = path.read_bytes()
    lines = tuple(Line.of(harmless(one)) for one in objects(content))
    start = next(of_kind(lines, RunStartRecord), None)
    first = next((line for line in lines if line.record is start), None)
    cut = _cut(content, lines)
    return JournalFile(
        source=ReportedJournal(
            path=visible(str(path)),
            run=(first.run if first else "") or visible(path.parent.name),
            task=start.task if start else "",
            records=len(lines),
            complete=not cut,
            cut=cut,
        ),
        lines=lines,
    )


def _cut(content: bytes, found: Sequence[Line]) -> str:
    """Why a journal is not whole, or the empty string."""
    lines = content.split(b"\n")
    torn = len(lines[-1]) + sum(len(line) + 1 for line in lines[len(found) : -1])
    last = f"after record {len(found)}" if found else "before its first record"
    if torn:
        return f"the journal is damaged {last}: {torn} bytes cannot be read"
    if [one.seq for one in found] != list(range(1, len(found) + 1)):
        return "the journal has a gap: records are missing or out of order"
    if not found or not isinstance(found[-1].record, RunEndRecord):
        return f"the journal ends {last}, without the end of the run: it was stopped, or still runs"
    return ""


def build(journals: Sequence[JournalFile]) -> Report:
    """The report of the first journal. The others add what was found and measured in their runs.

    ``journals`` must not be empty."""
    first = journals[0]
    start = next(of_kind(first.lines, RunStartRecord), taken(RunStartRecord, {}))
    end = next(of_kind(first.lines, RunEndRecord), taken(RunEndRecord, {}))
    own = (line.workspace for line in first.lines if line.workspace)
    names = dict.fromkeys([*start.workspaces, *own])
    times = [line.time for line in first.lines if line.time]
    return Report(
        run=first.source.run,
        version=start.version,
        task=start.task,
        mode=start.mode,
        started=times[0] if times else "",
        ended=times[-1] if times else "",
        seconds=seconds(times[0], times[-1]) if times else None,
        outcome=end.outcome,
        exit=end.exit,
        cut=first.source.cut,
        workspaces=tuple(_workspace(name, journals, start) for name in names),
        sources=tuple(journal.source for journal in journals),
    )


def _workspace(
    name: str, journals: Sequence[JournalFile], start: RunStartRecord
) -> ReportedWorkspace:
    first = journals[0]
    own = [line for line in first.lines if line.workspace == name]

    def everywhere(kind: type[R]) -> tuple[tuple[str, R], ...]:
        """Records of a kind from the first journal that has any, each with its run."""
        for journal in journals:
            found = [(journal.source.run, record) for record in of_kind(journal.lines, kind, name)]
            if found:
                return tuple(found)
        return ()

    result = last_of_kind(own, ResultRecord) or taken(ResultRecord, {})
    plan = last_of_kind(own, PlanRecord) or taken(PlanRecord, {})
    facts = (last_of_kind(own, SnapshotRecord) or taken(SnapshotRecord, {})).facts
    home = facts.get("home", "")
    done = steps(own)
    return ReportedWorkspace(
        name=name,
        outcome=result.outcome,
        why=result.why,
        facts=facts,
        plan=plan.id,
        problems=tuple(dict.fromkeys(one.text for one in of_kind(own, ProblemRecord))),
        changes=tuple(ReportedChange.of(change, home) for change in plan.summary.changes),
        entries=tuple(ReportedEntry.of(entry, home) for entry in plan.entries),
        drift=tuple(drift(one, home) for one in of_kind(own, DriftRecord)),
        findings=newest(ReportedFinding.read(one, run) for run, one in everywhere(FindingRecord)),
        gates=tuple(ReportedFact.of(one) for one in of_kind(own, VerdictRecord)),
        measurements=tuple(
            ReportedMeasurement.of(one, run) for run, one in everywhere(MeasurementRecord)
        ),
        memory=tuple(
            memory
            for run, one in everywhere(MemoryRecord)
            for memory in ReportedMemory.all_of(one, run)
        ),
        settings=tuple(ReportedSetting.of(setting) for setting in plan.settings),
        estimates=tuple(f"{one.layer}: {one.text}" for one in of_kind(own, EstimateRecord)),
        notes=plan.notes,
        steps=done,
        trial=last_of_kind(own, TrialRecord),
        undo=undo(
            name,
            first.source.run,
            facts.get("state", ""),
            inventory=start.inventory or f"inventory/{name}.py",
            wide=len(start.workspaces) > 1,
            dry=start.mode == "dry run",
            task=start.task,
            wrote=bool(done),
            undone=result.outcome == Outcome.ROLLED_BACK,
        ),
    )


def clock(text: str) -> str:
    """A time of a journal for a person, in UTC; any other text is returned unchanged."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    time = time.astimezone(UTC) if time.tzinfo else time
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")
