"""Gains of a workspace over weeks: the picture, its words, and a gain that fades."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from converge.report.html import timeline_page
from converge.report.ledger import MOST, ledger
from converge.report.model import Report
from converge.report.timeline import timeline
from tests.report.report_reading import read
from tests.report.test_timeline import made

GAIN = "start of an application, warm"


def measured(value: float, *, spread: float = 2, subject: str = GAIN) -> dict[str, object]:
    return {
        "kind": "measurement",
        "workspace": "w",
        "subject": subject,
        "benchmark": "felt",
        "kind_of_gain": "smaller",
        "settings": [],
        "claimed": None,
        "measured": value,
        "low": value - spread,
        "high": value + spread,
        "n": 6,
        "verdict": "met",
        "why": "",
    }


def changed(tmp_path: Path, number: int) -> Report:
    entry = {"path": "/f", "group": "g", "key": "k", "old": "a", "new": "b"}
    plan = {
        "kind": "plan",
        "workspace": "w",
        "id": "a" * 12,
        "empty": False,
        "summary": {},
        "entries": [entry],
    }
    result = {"kind": "result", "workspace": "w", "outcome": "applied and proved", "why": ""}
    return made(tmp_path, number, plan, result, task="deploy")


def drawn(*reports: Report) -> object:
    return ledger(timeline("w", reversed(reports)))


def test_a_gain_that_fades_is_said_and_one_that_stays_is_not(tmp_path: Path) -> None:
    other = "memory of KWin"
    found = ledger(
        timeline(
            "w",
            reversed(
                [
                    made(tmp_path, 1, measured(30), measured(20, subject=other), task="measure"),
                    made(tmp_path, 2, measured(29), measured(21, subject=other), task="measure"),
                    made(tmp_path, 3, measured(10), measured(19, subject=other), task="measure"),
                ]
            ),
        )
    )
    assert found is not None
    fades = {band.label: band.fades for band in found.bands}
    assert fades == {GAIN: True, other: False}
    assert f"{GAIN}: +30.0 % on 2026-12-01, +10.0 % on 2026-12-03, 3 measurements; it fades" in (
        found.words
    )


def test_marks_stand_in_the_order_of_time_and_higher_gains_higher(tmp_path: Path) -> None:
    found = ledger(
        timeline(
            "w",
            reversed(
                [
                    made(tmp_path, 1, measured(10), task="measure"),
                    made(tmp_path, 5, measured(40), task="measure"),
                    made(tmp_path, 9, measured(-20), task="measure"),
                ]
            ),
        )
    )
    assert found is not None
    (band,) = found.bands
    places = [float(mark.x[:-1]) for mark in band.marks]
    assert places == sorted(places) and (places[0], places[-1]) == (3, 97)
    assert places[1] == 50
    heights = [float(mark.y) for mark in band.marks]
    assert heights[1] < heights[0] < float(band.zero) < heights[2]
    for mark in band.marks:
        assert float(mark.high) <= float(mark.y) <= float(mark.low)
        assert band.top < float(mark.high) and float(mark.low) < found.height


def test_a_run_that_changed_something_is_marked_at_its_time(tmp_path: Path) -> None:
    found = ledger(
        timeline(
            "w",
            reversed(
                [
                    made(tmp_path, 1, measured(0), task="measure"),
                    changed(tmp_path, 2),
                    made(tmp_path, 3, measured(30), task="measure"),
                ]
            ),
        )
    )
    assert found is not None
    assert found.changes == ("50.00%",)
    assert [row.what for row in found.rows] == [GAIN, "a run changed 1 file", GAIN]


def test_one_measurement_makes_no_course(tmp_path: Path) -> None:
    assert drawn(made(tmp_path, 1, measured(10), task="measure")) is None
    control = measured(1, subject="control")
    runs = [made(tmp_path, number, control, task="measure") for number in (1, 2)]
    assert drawn(*runs) is None


def test_the_page_has_the_picture_without_a_script_and_the_same_as_a_table(
    tmp_path: Path,
) -> None:
    hostile = "<script>alert(1)</script>"
    runs = [
        made(tmp_path, number, measured(value, subject=hostile), task="measure")
        for number, value in ((1, 30), (2, 5))
    ]
    page = timeline_page(timeline("w", reversed(runs)))
    assert "<script" not in page
    tree = read(page)
    text = tree.text
    assert "Gains over time" in text and "fades" in text
    assert text.count("+30.0 %") >= 2  # in the words of the picture, and in the table


def test_values_beyond_the_edge_stay_inside_of_the_band(tmp_path: Path) -> None:
    runs = [
        made(tmp_path, number, measured(value, spread=9000), task="measure")
        for number, value in ((1, 5000.0), (2, -5000.0))
    ]
    found = ledger(timeline("w", reversed(runs)))
    assert found is not None
    for mark in found.bands[0].marks:
        for place in (mark.y, mark.low, mark.high):
            assert 0 <= float(place) <= found.height


def test_many_runs_stay_apart_and_their_noise_is_no_fading(tmp_path: Path) -> None:
    noise = (37, 33, 40, 36, 39, 35, 38, 37, 34)  # from run to run more than an interval tells
    runs = [made(tmp_path, n, measured(v), task="measure") for n, v in enumerate(noise, 1)]
    once = timeline("w", reversed(runs))
    many = replace(once, turns=tuple(turn for turn in once.turns for _ in range(50)))
    found = ledger(many)
    assert found is not None
    (band,) = found.bands
    assert "450 measurements" in band.said
    assert len(band.marks) <= MOST
    assert len({mark.x for mark in band.marks}) == len(band.marks)
    assert not band.fades
