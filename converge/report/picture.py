"""Claims and measurements as a picture: one row each, the claimed range, the gain, its interval.

An SVG whose horizontal places are percentages and whose letters are pixels, so that it fits a phone
and a wide window alike, and stays readable in both. The same is said in words: in ``describe``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from converge.report.markup import Markup, element
from converge.report.parts import MINUS, ReportedMeasurement, signed

ROW = 54  # height of one row in pixels
AXIS = 26
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 500)
_CUT = (-100.0, 400.0)  # percent; a gain beyond is drawn at the edge, and written in full
LABEL = 20  # characters of a name; that is what fits beside the verdict on a phone


def picture(rows: Sequence[ReportedMeasurement]) -> Markup:
    """The picture of all measurements that have a figure. Must not be empty."""
    low, high, step = _scale(rows)

    def at(value: float) -> str:
        share = (min(max(value, low), high) - low) / (high - low)
        return f"{1 + 98 * share:.2f}%"

    ticks = [low + step * i for i in range(round((high - low) / step) + 1)]
    height = ROW * len(rows) + AXIS
    return element(
        "svg",
        element("title", "Claimed and measured gains", id="picture-title"),
        element("desc", describe(rows), id="picture-text"),
        *(_row(one, ROW * i, at, ticks) for i, one in enumerate(rows)),
        *(_tick(value, ticks, at, height) for value in ticks),
        role="img",
        aria_labelledby="picture-title picture-text",
        class_="picture",
        width="100%",
        height=height,
    )


def describe(rows: Sequence[ReportedMeasurement]) -> str:
    """The picture in words, one sentence a row."""
    return " ".join(f"{one.label}: {figures(one)}." for one in rows)


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
    for one in rows:
        found = (one.claimed_low, one.claimed_high, one.value, one.low, one.high)
        values += (min(max(value, _CUT[0]), _CUT[1]) for value in found if value is not None)
    low, high = min(values), max(values)
    width = max(high - low, 1.0)
    step = next((step for step in _STEPS if width / step <= 6), _STEPS[-1])
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return float(low), float(high if high > low else low + step), float(step)


def _row(
    one: ReportedMeasurement, top: int, at: Callable[[float], str], ticks: Sequence[float]
) -> Markup:
    y = top + 36  # the middle of the row's drawing, below its text
    drawn: list[Markup] = [
        element(
            "line",
            x1=at(value),
            x2=at(value),
            y1=y - 10,
            y2=y + 10,
            class_="zero" if value == 0 else "grid",
        )
        for value in ticks
    ]
    if one.claimed_low is not None and one.claimed_high is not None:
        drawn.append(_bar(at(one.claimed_low), at(one.claimed_high), y, 16, "claimed"))
    kind = one.verdict.replace(" ", "-")
    if one.low is not None and one.high is not None:
        drawn.append(_bar(at(one.low), at(one.high), y, 5, f"interval {kind}"))
    if one.value is not None:
        drawn.append(element("circle", cx=at(one.value), cy=y, r=5, class_=f"gain {kind}"))
    label = (
        one.short if len(one.short) <= LABEL else f"{one.short[: LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"
    )
    value = "" if one.value is None else f"{signed(one.value)} %, "
    words = element("text", f"{value}{one.verdict}", x="99%", y=top + 18, class_=f"verdict {kind}")
    return element("g", *drawn, element("text", label, x="1%", y=top + 18, class_="label"), words)


def _bar(left: str, right: str, y: int, height: int, class_: str) -> Markup:
    width = max(float(right[:-1]) - float(left[:-1]), 0.2)
    return element(
        "rect",
        x=left,
        y=y - height / 2,
        width=f"{width:.2f}%",
        height=height,
        rx=min(height / 2, 4),
        class_=class_,
    )


def _tick(value: float, ticks: Sequence[float], at: Callable[[float], str], height: int) -> Markup:
    anchor = "start" if value == ticks[0] else "end" if value == ticks[-1] else "middle"
    text = f"{value:g} %".replace("-", MINUS)
    return element("text", text, x=at(value), y=height - 6, text_anchor=anchor, class_="tick")
