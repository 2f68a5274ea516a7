"""JUnit XML: a test case passes only where the check has really passed."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from converge.effect import Effect
from converge.exits import Exit, Outcome
from converge.report.junit import xml
from converge.report.model import build, load

JOURNALS = Path(__file__).parents[1] / "data" / "journals"


def document(name: str) -> ElementTree.Element:
    return ElementTree.fromstring(xml(build([load(JOURNALS / f"{name}.jsonl")])))


def made(tmp_path: Path, **fields: object) -> list[str]:
    """How the only finding of a run is reported; an empty list is a pass."""
    lines = (JOURNALS / "disproved.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    finding = next(row for row in rows if row["kind"] == "finding") | fields
    kept = [row for row in rows if row["kind"] != "finding"]
    path = tmp_path / "j"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in [*kept[:-1], finding, kept[-1]]))
    tree = ElementTree.fromstring(xml(build([load(path)])))
    case = next(one for one in tree.iter("testcase") if "phase" in str(one.get("classname")))
    return [child.tag for child in case]


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (Effect.EFFECTIVE, []),
        (Effect.NOT_EFFECTIVE, ["failure"]),
        (Effect.UNKNOWN, ["error"]),
        (Effect.PENDING, ["skipped"]),
        (Effect.NOT_APPLICABLE, ["skipped"]),
    ],
)
def test_only_an_effective_setting_has_passed(
    effect: Effect, expected: list[str], tmp_path: Path
) -> None:
    assert made(tmp_path, effect=effect.value) == expected


@pytest.mark.parametrize("word", ["Effective", "", "passed", None, 1, True])
def test_an_effect_that_is_no_word_of_ours_is_an_error(word: object, tmp_path: Path) -> None:
    assert made(tmp_path, effect=word) == ["error"]


def test_a_reminder_to_a_person_breaks_no_build_and_passes_none(tmp_path: Path) -> None:
    assert made(tmp_path, effect="unknown", counts=False) == ["skipped"]
    assert made(tmp_path, effect="not effective", counts=False) == ["skipped"]


@pytest.mark.parametrize("name", ["proved", "dry", "fleet", "disproved", "measured"])
def test_the_counts_of_every_suite_are_right(name: str) -> None:
    for suite in document(name).iter("testsuite"):
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases) > 0
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(count, "")) == len(suite.findall(f"testcase/{tag}")), count
        names = [(case.get("classname"), case.get("name")) for case in cases]
        assert len(set(names)) == len(names), "a build server shows two of one name as one"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_run_has_passed_only_when_its_word_says_that_it_did(outcome: str, tmp_path: Path) -> None:
    path = tmp_path / "j"
    text = (JOURNALS / "disproved.jsonl").read_text()
    path.write_text(text.replace(Outcome.ROLLED_BACK, outcome))
    tree = ElementTree.fromstring(xml(build([load(path)])))
    case = next(one for one in tree.iter("testcase") if one.get("name") == "result")
    assert (len(case) == 0) is (Outcome(outcome).exit is Exit.DONE)
    if outcome in (Outcome.UNKNOWN, Outcome.ROLLBACK_FAILED):
        assert case[0].tag == ("error" if outcome == Outcome.UNKNOWN else "failure")


def test_a_dry_run_that_found_changes_is_no_failure() -> None:
    assert document("dry").findall(".//failure") == document("dry").findall(".//error") == []


def test_a_fact_that_blocks_is_a_failure_and_a_harmless_difference_is_skipped() -> None:
    def tags(name: str, fact: str) -> list[str]:
        case = next(one for one in document(name).iter("testcase") if one.get("name") == fact)
        return [child.tag for child in case]

    assert tags("fleet", "build.compiler.march") == ["failure"]
    assert tags("proved", "storage.kind") == ["skipped"]
    assert tags("proved", "cpu.vendor") == []
