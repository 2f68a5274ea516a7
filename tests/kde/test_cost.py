"""The cost of a long KDE file: how often a plan reads the file, counted and not timed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.kde import back, book, taken
from converge.kde.text import Placed, read_file
from converge.plan.snapshot import Managed
from tests.conftest import PROJECT
from tests.kde.undoing import by_awk
from tests.plan import plans

LINES = 2000
LONG = plans.LIVED_IN + b"".join(b"[Group%d]\nkey=%d\n" % (n, n) for n in range(LINES // 2))
SOURCE = f"{plans.HOME}/.local/share/chezmoi/dot_config/kwinrc"


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The length of each text that is read as a KDE file, where it is a long one."""
    counted: list[int] = []

    def counting(text: bytes) -> Iterator[Placed]:
        if len(text) > len(LONG) // 2:
            counted.append(len(text))
        return read_file(text)

    for module in (back, book, taken):
        monkeypatch.setattr(module, "read_file", counting)
    back._held.cache_clear()
    yield counted
    back._held.cache_clear()


@pytest.mark.parametrize("managed", [False, True], ids=["live alone", "with its source"])
def test_a_plan_reads_a_long_file_three_times_at_most(readings: list[int], managed: bool) -> None:
    """Once to merge; for an undo, before and after. The source has the same bytes."""
    nodes = [plans.file(plans.KWINRC, LONG)]
    known = {}
    if managed:
        nodes.append(plans.file(SOURCE, LONG))
        known = {plans.KWINRC: Managed(source=SOURCE)}
    made = plans.plan(plans.found(*nodes, chezmoi=known))
    changed = [change for change in made.changes if change.path in (plans.KWINRC, SOURCE)]
    assert len(changed) == 1 + managed and all(one.entries for one in changed)
    assert 1 <= len(readings) <= 3


def test_a_plan_that_changes_nothing_reads_a_long_file_once(readings: list[int]) -> None:
    made = plans.plan(plans.found(plans.file(plans.KWINRC, LONG)))
    after = next(change.after for change in made.changes if change.path == plans.KWINRC)
    assert after is not None
    readings.clear()
    again = plans.plan(plans.found(plans.file(plans.KWINRC, after)))
    assert plans.KWINRC not in {change.path for change in again.changes}
    assert len(readings) == 1


SAME = """\
import sys
from converge.kde.merge import merge
text = b"[A]\\nb=c\\n"
assert merge(text, {("A",): {"b": "c"}}).text == text
assert "configobj" not in sys.modules
assert merge(text, {("A",): {"b": "d"}}).text == b"[A]\\nb=d\\n"
assert "configobj" in sys.modules
"""


def test_a_file_in_which_nothing_changes_is_read_without_configobj() -> None:
    subprocess.run([sys.executable, "-c", SAME], cwd=PROJECT, check=True)


@pytest.mark.parametrize("text", [b"x" * 800_000, b"\\\\" * 400_000], ids=["plain", "escapes"])
def test_a_long_line_of_somebodys_holds_no_undo_up_for_minutes(tmp_path: Path, text: bytes) -> None:
    """awk copies a text each time it grows, so a line that grew byte by byte took five minutes of
    an undo; now four seconds. ``by_awk`` ends after one minute."""
    before = b"[A]\nk=1\n[B]\nlong=" + text + b"\n"
    after = before.replace(b"k=1", b"k=2")
    entries = back.changed(before, after, {})
    assert by_awk(after + b"theirs=1\n", entries, tmp_path).text == before + b"theirs=1\n"
