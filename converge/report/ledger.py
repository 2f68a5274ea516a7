"""Measurements of a workspace over its runs, as a picture with one band for each claim.

In: the runs of a timeline. Out: what the template draws: time from left to right, the gain of each
run with its interval, and a line where a run changed something, so that a reader sees a gain that
fades and the change beside it. A table has the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from converge.exits import kept
from converge.problem import count
from converge.report.parts import ReportedMeasurement, signed
from converge.report.picture import spread
from converge.report.timeline import Timeline

#: Pixels: height of a band, of the text in it, of the room below it, of the dates below all.
BAND, TEXT, GAP, AXIS = 96, 26, 14, 24
_CUT = (-100.0, 400.0)  # percent; a gain beyond is drawn at the edge, and written in full
FEWEST = 2  # a claim with fewer measurements is not drawn
#: So many marks stay apart on a phone. Of more, those of one part of the time are drawn as one.
MOST = 40


@dataclass(frozen=True, kw_only=True)
class LedgerMark:
    """The gain of one run: its places, in percent of the width and in pixels from the top."""

    x: str
    y: str
    low: str  # place of the lower end of the interval; "": too few samples
    high: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class LedgerBand:
    """One claim over time. ``fades``: its newest interval lies wholly below most earlier ones."""

    top: int
    label: str
    said: str
    zero: str
    marks: tuple[LedgerMark, ...]
    fades: bool


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """One line of the table: a measurement, or a run that changed something."""

    time: str
    what: str
    gain: str
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Ledger:
    height: int
    words: str
    bands: tuple[LedgerBand, ...]
    changes: tuple[str, ...]  # places of the runs that changed something
    first: str
    last: str
    rows: tuple[LedgerRow, ...]


@dataclass(frozen=True, kw_only=True)
class _Point:
    time: str
    at: float  # seconds since the epoch
    one: ReportedMeasurement


def ledger(found: Timeline) -> Ledger | None:
    """The picture, or None where no claim was measured twice."""
    courses: dict[str, list[_Point]] = {}
    changes: list[tuple[float, str, int]] = []
    for turn in reversed(found.turns):
        at = _seconds(turn.report.started)
        if at is None:
            continue
        files = len(turn.part.changes or turn.part.entries)
        wrote = turn.report.task == "deploy" and not turn.report.dry and kept(turn.part.outcome)
        if wrote and files:
            changes.append((at, turn.report.started, files))
        for measurement in turn.part.measurements:
            if (
                measurement.value is not None
                and not measurement.control
                and measurement.run == turn.report.run
            ):
                point = _Point(time=turn.report.started, at=at, one=measurement)
                courses.setdefault(measurement.label, []).append(point)
    courses = {label: points for label, points in courses.items() if len(points) >= FEWEST}
    if not courses:
        return None
    times = [point.at for points in courses.values() for point in points]
    times += [at for at, _, _ in changes]
    first, last = min(times), max(times)

    def share(at: float) -> float:
        return (at - first) / ((last - first) or 1)

    bands = tuple(
        _band(label, points, BAND * number, share)
        for number, (label, points) in enumerate(courses.items())
    )
    dated = sorted(point.time for points in courses.values() for point in points)
    days = sorted([*dated, *(time for _, time, _ in changes)])
    return Ledger(
        height=BAND * len(bands) + AXIS,
        words=" ".join(f"{band.label}: {band.said}." for band in bands),
        bands=bands,
        changes=tuple(_place(one[0]) for one in _parts([share(at) for at, _, _ in changes])),
        first=days[0][:10],
        last=days[-1][:10],
        rows=_rows(courses, changes),
    )


def _place(share: float) -> str:
    return f"{3 + 94 * share:.2f}%"


def _parts(shares: Sequence[float]) -> list[list[float]]:
    """Shares of the time, in order: each by itself, or those of one of MOST parts together."""
    if len(shares) <= MOST:
        return [[share] for share in shares]
    parts: dict[int, list[float]] = {}
    for share in shares:
        parts.setdefault(min(int(share * MOST), MOST - 1), []).append(share)
    return list(parts.values())


def _band(
    label: str, points: Sequence[_Point], top: int, share: Callable[[float], float]
) -> LedgerBand:
    """The band of a claim. Its scale always has zero on it. Where several measurements are one
    mark, its places are the medians of theirs."""
    values = [0.0]
    for point in points:
        found = (point.one.value, point.one.low, point.one.high)
        values += (min(max(value, _CUT[0]), _CUT[1]) for value in found if value is not None)
    low, high = min(values), max(values)
    room = (high - low) or 1.0

    def y(value: float) -> str:
        part = (min(max(value, low), high) - low) / room
        return f"{top + TEXT + (BAND - TEXT - GAP) * (1 - part):.1f}"

    def mark(group: Sequence[_Point]) -> LedgerMark:
        lows = [one.one.low for one in group if one.one.low is not None]
        highs = [one.one.high for one in group if one.one.high is not None]
        return LedgerMark(
            x=_place(median(share(one.at) for one in group)),
            y=y(median(one.one.value or 0.0 for one in group)),
            low=y(median(lows)) if lows else "",
            high=y(median(highs)) if highs else "",
            kind=group[-1].one.verdict.replace(" ", "-"),
        )

    rest = iter(points)
    groups = [[next(rest) for _ in one] for one in _parts([share(one.at) for one in points])]
    return LedgerBand(
        top=top,
        label=label,
        said=_said(points),
        zero=y(0.0),
        marks=tuple(mark(group) for group in groups),
        fades=_fades(points),
    )


def _fades(points: Sequence[_Point]) -> bool:
    """Whether the newest interval lies wholly below most earlier ones. Runs differ by more than an
    interval tells, so of many runs of an equal gain one lies above the newest by chance."""
    high = points[-1].one.high
    lows = [point.one.low for point in points[:-1] if point.one.low is not None]
    return high is not None and bool(lows) and high < median(lows)


def _said(points: Sequence[_Point]) -> str:
    """The band of a claim in words."""
    first, last = (
        f"{signed(point.one.value or 0.0)} % on {point.time[:10]}"
        for point in (points[0], points[-1])
    )
    fades = "; it fades: the newest interval lies below most earlier ones" if _fades(points) else ""
    return f"{first}, {last}, {len(points)} measurements{fades}"


def _rows(
    courses: Mapping[str, Sequence[_Point]], changes: Sequence[tuple[float, str, int]]
) -> tuple[LedgerRow, ...]:
    """Measurements and changes for the table, newest first."""
    rows = [
        LedgerRow(
            time=point.time,
            what=label,
            gain=" ".join(
                filter(None, (f"{signed(point.one.value or 0.0)} %", _interval(point.one)))
            ),
            verdict=point.one.verdict,
        )
        for label, points in courses.items()
        for point in points
    ]
    rows += (
        LedgerRow(time=time, what=f"a run changed {count(files, 'file')}", gain="", verdict="")
        for _, time, files in changes
    )
    return tuple(sorted(rows, key=lambda one: one.time, reverse=True))


def _interval(one: ReportedMeasurement) -> str:
    return f"({spread(one)})" if spread(one) else ""


def _seconds(time: str) -> float | None:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return None
