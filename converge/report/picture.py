"""Claims and measurements as a picture: a row each, with claimed range, gain and interval.

The horizontal places of the SVG are percentages and its letters are pixels, so the picture fits and
is readable on a phone and in a wide window. ``describe`` says the same in words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from converge.report.model import ReportedWorkspace
from converge.report.parts import MINUS, ReportedMeasurement, signed

ROW = 54  # height of one row in pixels
AXIS = 26
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 500)
_CUT = (-100.0, 400.0)  # percent; a gain beyond is drawn at the edge, and written in full
LABEL = 20  # characters of a name: so many fit beside the verdict on a phone


@dataclass(frozen=True, kw_only=True)
class PictureLine:
    """A vertical line, or a word below the axis, at a ``place`` in percent of the width."""

    place: str
    name: str = ""
    anchor: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class PictureBox:
    """A bar: its place and width in percent of the width, its height in pixels."""

    left: str
    width: str
    height: int
    name: str


@dataclass(frozen=True, kw_only=True)
class PictureRow:
    """One measurement. ``middle``: pixels from the top of the picture to the middle of its bars."""

    middle: int
    label: str
    verdict: str
    kind: str
    grid: tuple[PictureLine, ...]
    boxes: tuple[PictureBox, ...]
    gain: str  # place of the measured gain, or ""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The whole picture, and the same in words."""

    height: int
    words: str
    rows: tuple[PictureRow, ...]
    ticks: tuple[PictureLine, ...]


def drawing(one: ReportedWorkspace) -> Picture | None:
    """The picture of the measurements that have a figure, or None."""
    rows = [each for each in one.measurements if each.value is not None and not each.control]
    if not rows:
        return None
    low, high, step = _scale(rows)

    def at(value: float) -> str:
        share = (min(max(value, low), high) - low) / (high - low)
        return f"{1 + 98 * share:.2f}%"

    ticks = [low + step * i for i in range(round((high - low) / step) + 1)]
    return Picture(
        height=ROW * len(rows) + AXIS,
        words=describe(rows),
        rows=tuple(_row(each, ROW * i, at, ticks) for i, each in enumerate(rows)),
        ticks=tuple(_tick(value, ticks, at) for value in ticks),
    )


def describe(rows: Sequence[ReportedMeasurement]) -> str:
    """The picture in words, one sentence a row."""
    return " ".join(f"{row.label}: {figures(row)}." for row in rows)


def figures(one: ReportedMeasurement) -> str:
    """Claim, gain and verdict of one measurement, for a person."""
    parts = []
    if one.claimed_low is not None and one.claimed_high is not None:
        parts.append(f"claimed {one.claimed_low:g} to {one.claimed_high:g} %")
    if one.value is None:
        parts.append("not measured")
    else:
        interval = spread(one)
        parts.append(f"measured {signed(one.value)} %" + (f" ({interval})" if interval else ""))
    return ", ".join([*parts, one.verdict])


def spread(one: ReportedMeasurement) -> str:
    if one.low is None or one.high is None:
        return ""
    return f"{signed(one.low)} to {signed(one.high)}"


def _scale(rows: Sequence[ReportedMeasurement]) -> tuple[float, float, float]:
    """Lowest and highest value of the axis, and the distance of its marks."""
    values = [0.0]
    for row in rows:
        found = (row.claimed_low, row.claimed_high, row.value, row.low, row.high)
        values += (min(max(value, _CUT[0]), _CUT[1]) for value in found if value is not None)
    low, high = min(values), max(values)
    width = max(high - low, 1.0)
    step = next((step for step in _STEPS if width / step <= 6), _STEPS[-1])
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return float(low), float(high if high > low else low + step), float(step)


def _row(
    one: ReportedMeasurement, top: int, at: Callable[[float], str], ticks: Sequence[float]
) -> PictureRow:
    kind = one.verdict.replace(" ", "-")
    boxes = []
    if one.claimed_low is not None and one.claimed_high is not None:
        boxes.append(_box(at(one.claimed_low), at(one.claimed_high), 16, "claimed"))
    if one.low is not None and one.high is not None:
        boxes.append(_box(at(one.low), at(one.high), 5, f"interval {kind}"))
    value = "" if one.value is None else f"{signed(one.value)} %, "
    return PictureRow(
        middle=top + 36,  # below its text
        label=one.short
        if len(one.short) <= LABEL
        else f"{one.short[: LABEL - 1]}\N{HORIZONTAL ELLIPSIS}",
        verdict=f"{value}{one.verdict}",
        kind=kind,
        grid=tuple(PictureLine(place=at(x), name="grid" if x else "zero") for x in ticks),
        boxes=tuple(boxes),
        gain="" if one.value is None else at(one.value),
    )


def _box(left: str, right: str, height: int, name: str) -> PictureBox:
    width = max(float(right[:-1]) - float(left[:-1]), 0.2)
    return PictureBox(left=left, width=f"{width:.2f}%", height=height, name=name)


def _tick(value: float, ticks: Sequence[float], at: Callable[[float], str]) -> PictureLine:
    anchor = "start" if value == ticks[0] else "end" if value == ticks[-1] else "middle"
    return PictureLine(place=at(value), anchor=anchor, text=f"{value:g} %".replace("-", MINUS))
