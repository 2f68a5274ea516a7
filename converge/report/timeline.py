"""A workspace over its runs. In: the reports of the runs. Out: a frozen ``Timeline``.

The last finding of a setting counts, of whichever run, with the time since when its effect holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from converge.effect import WORST_FIRST, Effect
from converge.exits import kept
from converge.journal.kinds import DriftRecord
from converge.report.model import Report, ReportedWorkspace
from converge.report.parts import ReportedFinding, ReportedMeasurement

#: How many of the newest runs are read; how many a workspace keeps so that they can be undone.
RUNS, KEPT = 100, 10


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One run on the workspace."""

    report: Report
    part: ReportedWorkspace

    @property
    def command(self) -> str:
        """The task and its mode."""
        return f"{self.report.task or 'unknown task'}{', dry run' if self.report.dry else ''}"


@dataclass(frozen=True, kw_only=True)
class LastFinding:
    """The last finding of a check or setting. ``since``: time of the first of the latest findings
    with this effect; ``before``: the effect before them, or ""."""

    finding: ReportedFinding
    since: str
    before: str


@dataclass(frozen=True, kw_only=True)
class Drifted:
    """A value that somebody else changed, and when it was found."""

    time: str
    run: str
    record: DriftRecord


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """All that the journals say of one workspace, newest first."""

    name: str
    turns: tuple[Turn, ...]
    standings: tuple[LastFinding, ...]
    drift: tuple[Drifted, ...]
    measurements: tuple[ReportedMeasurement, ...]
    left_out: int  # older runs that were not read

    @property
    def undo_points(self) -> Sequence[Turn]:
        """The newest runs that kept a change, at most KEPT, since a workspace keeps no more."""
        found = (
            turn
            for turn in self.turns
            if turn.report.task == "deploy"
            and not turn.report.dry
            and kept(turn.part.outcome)
            and (turn.part.changes or turn.part.entries)
        )
        return [one for one, _ in zip(found, range(KEPT), strict=False)]

    @property
    def findings(self) -> Sequence[ReportedFinding]:
        """The last finding of each check and setting."""
        return [standing.finding for standing in self.standings]

    @property
    def changed(self) -> Sequence[LastFinding]:
        """The checks and settings whose effect has changed."""
        return [standing for standing in self.standings if standing.before]


def timeline(name: str, reports: Iterable[Report], *, left_out: int = 0) -> Timeline:
    """The timeline of the workspace ``name``; ``reports`` are those of its runs, newest first."""
    turns = tuple(
        Turn(report=report, part=part)
        for report in reports
        for part in report.workspaces
        if part.name == name
    )
    drift = (
        Drifted(time=turn.report.started, run=turn.report.run, record=record)
        for turn in turns
        for record in turn.part.drift
    )
    measured = (turn.part.measurements for turn in turns if turn.part.measurements)
    return Timeline(
        name=name,
        turns=turns,
        standings=tuple(_standings(turns)),
        drift=tuple(drift),
        measurements=next(measured, ()),
        left_out=left_out,
    )


def _standings(turns: Sequence[Turn]) -> Sequence[LastFinding]:
    """The last finding of each check and setting, worst first, without "not applicable"."""
    found: dict[tuple[str, str], LastFinding] = {}
    for turn in reversed(turns):
        for one in turn.part.findings:
            if one.effect is Effect.NOT_APPLICABLE:
                continue
            key = (one.check, one.setting)
            last = found.get(key)
            if last and last.finding.effect is one.effect:
                found[key] = replace(last, finding=one)
            else:
                before = str(last.finding.effect.value) if last else ""
                found[key] = LastFinding(finding=one, since=turn.report.started, before=before)
    return sorted(found.values(), key=lambda one: WORST_FIRST.index(one.finding.effect))
