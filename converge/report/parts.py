"""The parts of a report, each made from one record of a journal, or from one row of a record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from converge.effect import Finding
from converge.journal.journal import Line
from converge.journal.kinds import (
    DriftRecord,
    FindingRecord,
    PlannedEntry,
    PlannedFile,
    PlannedSetting,
    StepRecord,
    VerdictRecord,
)
from converge.journal.measured import MeasurementRecord, MemoryRecord, ProgramMemory
from converge.plan.diff import short
from converge.report.ending import rerun


@dataclass(frozen=True, kw_only=True)
class ReportedChange:
    """A file that a run creates, replaces or removes."""

    path: str
    layer: str
    verb: str
    root: bool
    before: str  # digest, or "absent"
    after: str

    @classmethod
    def of(cls, row: PlannedFile, home: str) -> ReportedChange:
        before, after = row.before, row.after
        return cls(
            path=short(row.path, home),
            layer=row.layer,
            verb="remove" if after == "absent" else "create" if before == "absent" else "replace",
            root=row.root,
            before=before[:12],
            after=after[:12],
        )


@dataclass(frozen=True, kw_only=True)
class ReportedEntry:
    """An entry of a KDE file, before and after."""

    path: str
    group: str
    key: str
    before: str
    after: str

    @classmethod
    def of(cls, row: PlannedEntry, home: str) -> ReportedEntry:
        return cls(
            path=short(row.path, home),
            group=row.group,
            key=row.key,
            before="(absent)" if row.before is None else row.before,
            after="(deleted)" if row.after is None else row.after,
        )


def drift(record: DriftRecord, home: str) -> DriftRecord:
    """The record of drift with ``~`` for the home in its path."""
    return replace(record, path=short(record.path, home))


@dataclass(frozen=True, kw_only=True)
class ReportedFinding(FindingRecord):
    """What a check found in ``run``. ``phase`` and ``title`` come from the setting's row where the
    record has none."""

    run: str

    @property
    def finding(self) -> Finding:
        """The finding without its run."""
        return Finding(**{name: value for name, value in vars(self).items() if name != "run"})

    @classmethod
    def read(cls, record: FindingRecord, run: str) -> ReportedFinding:
        from converge.subjects.settings import BY_ID

        row = BY_ID.get(record.setting)
        more = {
            "title": record.title or (row.title if row else ""),
            "phase": record.phase or (row.phase.value if row else ""),
        }
        return cls(**{**vars(record), **more, "run": run})


def newest(findings: Iterable[ReportedFinding]) -> tuple[ReportedFinding, ...]:
    """The last finding of each check: a run asks before its change and again after it."""
    last: dict[tuple[str, str], ReportedFinding] = {}
    for finding in findings:
        last[finding.check, finding.setting] = finding
    return tuple(last.values())


@dataclass(frozen=True, kw_only=True)
class ReportedFact:
    """A fact of the profile compared with the machine."""

    fact: str
    outcome: str  # one of FACT_WORDS
    declared: str
    found: str
    why: str
    settings: str
    fix: str

    @classmethod
    def of(cls, record: VerdictRecord) -> ReportedFact:
        return cls(**{**vars(record), "settings": ", ".join(record.settings)})


@dataclass(frozen=True, kw_only=True)
class ReportedMeasurement:
    """A claim and its measurement; gains in percent, more is better."""

    subject: str
    benchmark: str
    word: str  # "faster" or "smaller"
    claimed_low: float | None
    claimed_high: float | None
    value: float | None
    low: float | None
    high: float | None
    n: int
    verdict: str
    why: str
    cpu: str
    earlier: tuple[str, ...]  # gains that were measured before, oldest first
    run: str

    @property
    def short(self) -> str:
        """The benchmark, or the subject of the claim; unique among the figures of a run."""
        own = self.benchmark not in ("", "memory", "felt") and not self.control
        return self.benchmark if own else self.subject

    @property
    def label(self) -> str:
        return self.subject if self.short == self.subject else f"{self.short}: {self.subject}"

    @property
    def control(self) -> bool:
        return self.subject == "control"

    @classmethod
    def of(cls, record: MeasurementRecord, run: str) -> ReportedMeasurement:
        return cls(
            subject=record.subject,
            benchmark=record.benchmark,
            word=record.kind_of_gain,
            claimed_low=record.claimed.low if record.claimed else None,
            claimed_high=record.claimed.high if record.claimed else None,
            value=record.measured,
            low=record.low,
            high=record.high,
            n=record.n,
            verdict=record.verdict,
            why=record.why,
            cpu=record.cpu,
            earlier=tuple(
                f"{one.time[:10]} {signed(one.measured)} %"
                for one in record.earlier
                if one.measured is not None
            ),
            run=run,
        )


def signed(value: float) -> str:
    """A gain with its sign, a real minus, one decimal; no minus in front of a zero."""
    text = f"{abs(value):.1f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, kw_only=True)
class ReportedMemory:
    """Memory of one program, or of the machine, when a sample was taken."""

    name: str
    mib: float
    processes: int
    when: str
    run: str

    @classmethod
    def all_of(cls, record: MemoryRecord, run: str) -> Iterator[ReportedMemory]:
        machine = ProgramMemory(kb=record.available_kb, processes=0)
        for name, one in (("available", machine), *record.used.items()):
            if one.kb is not None:
                yield cls(
                    name=name,
                    mib=one.kb / 1024,
                    processes=one.processes,
                    when=record.when,
                    run=run,
                )


@dataclass(frozen=True, kw_only=True)
class ReportedSetting:
    """Where a setting of the plan stands, and why it is not in force."""

    id: str
    title: str
    phase: str
    stand: str
    why: str
    effect: str  # by the workspace's record, before the run; "" where that has nothing

    @classmethod
    def of(cls, row: PlannedSetting) -> ReportedSetting:
        from converge.subjects.settings import BY_ID

        known = BY_ID.get(row.setting)
        return cls(
            id=row.setting,
            title=known.title if known else "",
            phase=known.phase.value if known else "",
            stand=row.stand,
            why=row.why,
            effect=row.effect,
        )


@dataclass(frozen=True, kw_only=True)
class ReportedStep:
    """A step of the run. ``seconds``: None for a step without an end, or of a single moment."""

    name: str
    status: str
    why: str
    time: str
    seconds: float | None


def steps(lines: Sequence[Line]) -> tuple[ReportedStep, ...]:
    """The steps of one workspace; the start and the end of a step are one value."""
    found: list[ReportedStep] = []
    running: dict[str, int] = {}
    for line in lines:
        if not isinstance(record := line.record, StepRecord):
            continue
        name, status = record.step, record.status
        step = ReportedStep(name=name, status=status, why=record.why, time=line.time, seconds=None)
        if status == "started":
            running[name] = len(found)
            found.append(step)
        elif name in running and status in ("done", "failed"):
            place = running.pop(name)
            began = found[place].time
            found[place] = replace(step, time=began, seconds=seconds(began, line.time))
        else:
            found.append(step)
    for place in running.values():
        found[place] = replace(found[place], status="no end recorded")
    return tuple(found)


def seconds(start: str, end: str) -> float | None:
    """Seconds between two times of a journal; None where one of them is malformed."""
    try:
        first, last = (datetime.fromisoformat(text) for text in (start, end))
        return max(0.0, (last - first).total_seconds())
    except (ValueError, TypeError):
        return None


def undo(
    workspace: str,
    run: str,
    state: str,
    *,
    inventory: str,
    wide: bool,
    dry: bool,
    task: str,
    wrote: bool,
    undone: bool,
) -> tuple[str, ...]:
    """Sentences on how to go back; those that begin with ``$ `` are commands. ``wide``: the run had
    other workspaces too."""
    if dry:
        return ("This was a dry run: nothing was written, there is nothing to undo.",)
    if task == "rollback":
        return ("This run took another one back; deploy.py makes its changes again.",)
    if task == "remove":
        return ("This run took the product off; deploy.py puts it on again.",)
    if task != "deploy":
        return ("This task changes no setting, there is nothing to undo.",)
    if not wrote:
        return ("No step of this run was begun here, there is nothing to undo.",)
    if undone:
        return ("The run undid its own change; tasks/status.py shows what is in force now.",)
    command = rerun(inventory, workspace, "tasks/rollback.py", run, wide)
    found = [
        "All layers of this run together, back to the recorded generations and bytes:",
        f"$ {command} -y",
        "What cannot be restored is named there, with the commands to do it by hand.",
    ]
    if state:
        found += ["Without this controller, on the workspace itself:", f"$ {state}/rollback"]
    return tuple(found)
