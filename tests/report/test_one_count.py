"""A run has the same count of effects on the terminal, in the report and in JUnit."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from converge.effect import Effect
from converge.journal import journal
from converge.journal.form import taken
from converge.journal.kinds import FindingRecord, RunStartRecord
from converge.report import ending, junit, model
from tasks.run.journal import Journal

JOURNALS = sorted((Path(__file__).parents[1] / "data/journals").glob("*.jsonl"))


def told(text: str) -> Counter[str]:
    """``28 effective, 21 pending`` as numbers by effect."""
    return Counter({word: int(number) for number, word in re.findall(r"(\d+) ([a-z ]+)", text)})


def of_junit(suite: ElementTree.Element) -> Counter[str]:
    found: Counter[str] = Counter()
    for case in suite:
        if ".phase " not in case.get("classname", ""):
            continue
        verdict = next(iter(case), None)
        if verdict is None:
            found[Effect.EFFECTIVE.value] += 1
        elif verdict.tag == "skipped":
            found[verdict.get("message", "").partition(":")[0]] += 1
        else:
            found[verdict.get("type", "")] += 1
    return found


def compare(path: Path) -> Counter[str]:
    """The count of the last workspace, once it is the same everywhere."""
    lines = journal.read(path)
    terminal: Counter[str] = Counter()
    report = model.build([model.load(path)])
    suites = {one.get("name"): one for one in ElementTree.fromstring(junit.xml(report))}
    assert report.workspaces
    for workspace in report.workspaces:
        findings = ending.latest(journal.of_kind(lines, FindingRecord, workspace.name))
        terminal = told(ending.effects(findings)) if findings else Counter()
        reported = Counter(each.effect.value for each in workspace.findings if each.counts)
        in_junit = of_junit(suites[workspace.name])
        reminders = Counter(each.effect.value for each in workspace.findings if not each.counts)
        assert in_junit - reminders == reported
        del reported[Effect.NOT_APPLICABLE.value]  # of no use at the end of a run
        assert terminal == reported
    return terminal


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_terminal_report_and_junit_count_the_same(path: Path) -> None:
    compare(path)


def test_what_is_looked_at_twice_counts_once_and_a_reminder_not_at_all(tmp_path: Path) -> None:
    one = Journal(tmp_path, "20260101t000000-0000")
    one.append(RunStartRecord(version="0", task="deploy", mode="run", workspaces=("a",)))
    for check, effect, counts in (
        ("user.state", "not effective", True),  # before the change
        ("user.state", "effective", True),
        ("before.rescue-medium", "unknown", False),
        ("kwin.blur", "pending", True),
        ("memory.zram", "not applicable", True),
        ("memory.swappiness", "unknown", True),
    ):
        fields = {"check": check, "effect": effect, "counts": counts, "reason": "r"}
        one.append(taken(FindingRecord, fields), workspace="a")
    assert compare(one.path) == {"effective": 1, "pending": 1, "unknown": 1}
