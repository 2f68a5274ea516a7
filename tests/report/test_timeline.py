"""A workspace over its runs: what waits, how its effects went, what can be undone, what drifted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from converge.effect import Effect
from converge.report.html import timeline_page
from converge.report.model import Report, build, load
from converge.report.timeline import KEPT, Timeline, timeline
from tests.report.report_reading import Node, read
from tests.report.test_report_command import IDS, run, state

__all__ = ["state"]  # the fixture: a controller that made three runs
JOURNALS = Path(__file__).parents[1] / "data" / "journals"


def report(name: str) -> Report:
    return build([load(JOURNALS / f"{name}.jsonl")])


def made(tmp_path: Path, number: int, *records: dict[str, object], task: str = "verify") -> Report:
    """A run of the workspace w with these records."""
    begin = {"kind": "run-start", "workspace": "", "task": task, "mode": "run", "version": "1"}
    lines = [{**begin, "workspaces": ["w"]}, *records]
    path = tmp_path / f"{number}.jsonl"
    head = {"run": f"2026120{number}t000000-aaaa", "time": f"2026-12-0{number}T00:00:00.000+00:00"}
    text = [json.dumps({**head, "seq": i + 1, **one}) for i, one in enumerate(lines)]
    path.write_text("\n".join(text) + "\n")
    return build([load(path)])


def finding(setting: str, effect: str, reason: str = "") -> dict[str, object]:
    said = {"check": setting, "setting": setting, "expected": "", "found": "", "reason": reason}
    return {"kind": "finding", "workspace": "w", "effect": effect, **said}


def section(page: str, title: str) -> Node:
    (found,) = [
        node
        for node in read(page).all("section")
        if any(head.text == title for head in node.all("h3"))
    ]
    return found


def test_the_last_word_of_each_setting_counts_with_the_time_since_it_is_so(tmp_path: Path) -> None:
    runs = [
        made(tmp_path, 1, finding("kwin.blur", "pending"), finding("kwin.contrast", "effective")),
        made(tmp_path, 2, finding("kwin.blur", "effective")),
        made(tmp_path, 3, finding("kwin.blur", "effective"), finding("kwin.contrast", "unknown")),
        made(tmp_path, 4, finding("kwin.contrast", "not applicable")),
    ]
    found = timeline("w", reversed(runs))
    stands = {standing.finding.setting: standing for standing in found.standings}
    blur, contrast = stands["kwin.blur"], stands["kwin.contrast"]
    assert (blur.finding.effect, blur.since[:10], blur.before) == (
        Effect.EFFECTIVE,
        "2026-12-02",
        "pending",
    )
    assert (contrast.finding.effect, contrast.before) == (Effect.UNKNOWN, "effective")
    assert found.standings[0] is contrast, "what a person has to look at comes first"
    assert len(found.turns) == 4


def test_what_waits_for_the_person_comes_first_whichever_run_found_it(tmp_path: Path) -> None:
    old = made(tmp_path, 1, finding("kwin.blur", "pending", "at the next login"))
    new = made(tmp_path, 2, finding("kwin.contrast", "not effective"))
    page = timeline_page(timeline("w", [new, old]))
    first = read(page).all("section")[0]
    assert [one.text for one in first.all("h3")] == ["What waits for you"]
    assert "kwin.contrast" in first.text and "log out and in" in first.text
    assert first.text.index("kwin.contrast") < first.text.index("kwin.blur")


def test_only_runs_that_kept_a_change_are_undo_points_and_no_more_than_are_kept() -> None:
    proved, dry, disproved = report("proved"), report("dry"), report("disproved")
    name = proved.workspaces[0].name
    found = timeline(name, [disproved, dry, proved])
    assert [point.report.run for point in found.undo_points] == [proved.run]
    many = timeline(name, [proved] * (KEPT + 5))
    assert len(many.undo_points) == KEPT
    text = section(timeline_page(found), "Undo points").text
    assert f"tasks/rollback.py --data run={proved.run}" in text
    assert dry.run not in text


def test_drift_and_figures_of_all_runs_are_on_the_page() -> None:
    reports = [report("dry"), report("measured"), report("proved")]
    name = reports[0].workspaces[0].name
    found = timeline(name, reports, left_out=7)
    page = timeline_page(found)
    assert sum(len(turn.part.drift) for turn in found.turns) == len(found.drift)
    for one in found.drift:
        assert one.record.what in section(page, "Drift").text
    for each in found.measurements:
        if not each.control:
            assert each.label in section(page, "Measurements").text
    assert "7 older runs not read" in section(page, "Runs").text


def test_a_workspace_of_which_nothing_is_known_has_a_page_too(tmp_path: Path) -> None:
    page = timeline_page(timeline("w", [made(tmp_path, 1)]))
    assert "Nothing that any run has found" in section(page, "What waits for you").text


def test_hostile_words_stay_text_on_the_page_over_runs(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\u202e"
    page = timeline_page(timeline("w", [made(tmp_path, 1, finding(evil, "unknown", evil))]))
    assert "<script" not in page and "\u202e" not in page
    assert "alert(1)" in read(page).text


def test_the_page_is_written_by_its_command(state: Path, tmp_path: Path) -> None:
    place = tmp_path / "workspace.html"
    done = run(state, "--workspace", "shoshin", "--html", str(place))
    assert done.returncode == 0, done.stderr
    for name in IDS.values():
        assert name in read(place.read_text(encoding="utf-8")).text
    printed = run(state, "--workspace", "shoshin", "--html", "-")
    assert printed.stdout.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--workspace", "shoshin"], "give --html FILE"),
        (["--workspace", "shoshin", "--html", "-", IDS["dry"]], "give --html FILE"),
        (["--workspace", "nobody", "--html", "-"], "there are runs of"),
    ],
)
def test_a_wrong_call_of_the_page_over_runs_ends_in_5(
    state: Path, arguments: list[str], said: str
) -> None:
    done = run(state, *arguments)
    assert (done.returncode, done.stdout) == (5, "")
    assert said in done.stderr


def test_a_timeline_is_empty_of_other_workspaces(tmp_path: Path) -> None:
    found: Timeline = timeline("another", [made(tmp_path, 1, finding("kwin.blur", "pending"))])
    assert found.turns == () and found.standings == ()
