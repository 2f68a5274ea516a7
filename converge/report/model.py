"""What a report says: the records of one or more journals go in, a frozen ``Report`` comes out.

A journal can be cut at any byte, and what is in it came from machines that others control: a field
that is missing or of another type is shown as empty, never as something good, and never raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from converge.exits import Outcome
from converge.journal import journal
from converge.redact import harmless, visible
from converge.report.parts import (
    Change,
    Drift,
    Entry,
    Finding,
    Gate,
    Measurement,
    Memory,
    Setting,
    Step,
    changes,
    latest,
    steps,
    string,
    strings,
    undo,
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A journal that went into a report."""

    path: str
    run: str
    task: str
    records: int
    complete: bool  # it has the record of the run's end, and nothing unreadable after it
    cut: str  # what is wrong with it, or ""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """All that the journals say of one workspace."""

    name: str
    outcome: str = ""  # "" when the run did not get to say
    why: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    plan: str = ""
    problems: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    entries: tuple[Entry, ...] = ()
    drift: tuple[Drift, ...] = ()
    findings: tuple[Finding, ...] = ()
    gates: tuple[Gate, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    memory: tuple[Memory, ...] = ()
    settings: tuple[Setting, ...] = ()
    estimates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    undo: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """``exit`` is None when the run did not record its end."""

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
    workspaces: tuple[Workspace, ...]
    sources: tuple[Source, ...]

    @property
    def dry(self) -> bool:
        return self.mode == "dry run"


@dataclass(frozen=True, kw_only=True)
class Journal:
    """The harmless records of one journal file."""

    source: Source
    records: tuple[journal.Record, ...]


def load(path: Path) -> Journal:
    """Read a journal. Raises ``OSError``; whatever is in the file is taken as it is."""
    found = [one for one in journal.read(path) if isinstance(one, dict)]
    records = tuple(harmless(one) for one in found)
    start = next((one for one in records if one.get("kind") == "run-start"), {})
    cut = _cut(path, len(found), records)
    return Journal(
        source=Source(
            path=visible(str(path)),
            run=string(start, "run") or visible(path.parent.name),
            task=string(start, "task"),
            records=len(records),
            complete=not cut,
            cut=cut,
        ),
        records=records,
    )


def _cut(path: Path, read: int, records: Sequence[journal.Record]) -> str:
    """Why the journal is not whole."""
    content = path.read_bytes()
    lines = content.split(b"\n")
    torn = len(lines[-1]) + sum(len(line) + 1 for line in lines[read:-1])
    last = f"after record {read}" if read else "before its first record"
    if torn:
        return f"the journal is damaged {last}: {torn} bytes cannot be read"
    numbers = [one.get("seq") for one in records]
    if numbers != list(range(1, len(records) + 1)):
        return "the journal has a gap: records are missing or out of order"
    if not records or records[-1].get("kind") != "run-end":
        return f"the journal ends {last}, without the end of the run: it was stopped, or still runs"
    return ""


def build(journals: Sequence[Journal]) -> Report:
    """The report of the first journal. The others add what was found and measured in their runs.

    ``journals`` must not be empty."""
    first = journals[0]
    start = _first(first.records, "run-start")
    end = _first(first.records, "run-end")
    names = dict.fromkeys(
        [
            *strings(start.get("workspaces")),
            *(string(one, "workspace") for one in first.records if string(one, "workspace")),
        ]
    )
    mode, task = string(start, "mode"), string(start, "task")
    times = [string(one, "time") for one in first.records if string(one, "time")]
    code = end.get("exit")
    return Report(
        run=first.source.run,
        version=string(start, "version"),
        task=task,
        mode=mode,
        started=times[0] if times else "",
        ended=times[-1] if times else "",
        seconds=seconds(times[0], times[-1]) if times else None,
        outcome=string(end, "outcome"),
        exit=code if isinstance(code, int) and not isinstance(code, bool) else None,
        cut=first.source.cut,
        workspaces=tuple(_workspace(name, journals, mode=mode, task=task) for name in names),
        sources=tuple(one.source for one in journals),
    )


def _workspace(name: str, journals: Sequence[Journal], *, mode: str, task: str) -> Workspace:
    first = journals[0]
    own = [one for one in first.records if string(one, "workspace") == name]

    def everywhere(kind: str) -> tuple[tuple[str, journal.Record], ...]:
        """Records of a kind, from the first journal that has any, with the run they come from."""
        for one in journals:
            found = [
                (one.source.run, record)
                for record in one.records
                if record.get("kind") == kind and string(record, "workspace") == name
            ]
            if found:
                return tuple(found)
        return ()

    result, plan = _last(own, "result"), _last(own, "plan")
    facts = _last(own, "snapshot").get("facts")
    found_facts = (
        {str(key): str(value) for key, value in facts.items()} if isinstance(facts, Mapping) else {}
    )
    home = found_facts.get("home", "")
    done = steps(own)
    return Workspace(
        name=name,
        outcome=string(result, "outcome"),
        why=string(result, "why"),
        facts=found_facts,
        plan=string(plan, "id"),
        problems=tuple(dict.fromkeys(string(one, "text") for one in _all(own, "problem"))),
        changes=changes(plan, home),
        entries=tuple(Entry.read(one, home) for one in _rows(plan, "entries")),
        drift=tuple(Drift.read(one, home) for one in _all(own, "drift")),
        findings=latest(Finding.read(one, run) for run, one in everywhere("finding")),
        gates=tuple(Gate.read(one) for one in _all(own, "verdict")),
        measurements=tuple(Measurement.read(one, run) for run, one in everywhere("measurement")),
        memory=tuple(
            memory for run, one in everywhere("memory") for memory in Memory.read(one, run)
        ),
        settings=tuple(Setting.read(one) for one in _rows(plan, "settings")),
        estimates=tuple(
            f"{string(one, 'layer')}: {string(one, 'text')}" for one in _all(own, "estimate")
        ),
        notes=strings(plan.get("notes")),
        steps=done,
        undo=undo(
            name,
            first.source.run,
            found_facts.get("state", ""),
            dry=mode == "dry run",
            task=task,
            wrote=bool(done),
            undone=string(result, "outcome") == Outcome.ROLLED_BACK,
        ),
    )


def seconds(start: str, end: str) -> float | None:
    """Seconds between two times of a journal, None when one is none."""
    try:
        first, last = (datetime.fromisoformat(text) for text in (start, end))
        return max(0.0, (last - first).total_seconds())
    except (ValueError, TypeError):
        return None


def clock(text: str) -> str:
    """A time of a journal for a person, in UTC; as it is when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    found = found.astimezone(UTC) if found.tzinfo else found
    return found.strftime("%Y-%m-%d %H:%M:%S UTC")


def _first(records: Iterable[journal.Record], kind: str) -> journal.Record:
    return next((one for one in records if one.get("kind") == kind), {})


def _last(records: Iterable[journal.Record], kind: str) -> journal.Record:
    return next(reversed(_all(records, kind)), {})


def _all(records: Iterable[journal.Record], kind: str) -> list[journal.Record]:
    return [one for one in records if one.get("kind") == kind]


def _rows(record: journal.Record, key: str) -> list[journal.Record]:
    value = record.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
