"""A KDE file after a merge: KDE reads the declared entries, and every other byte is as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from converge.kconfig import Entry, KConfigError, Merged, declared, merge, values
from tests.kconfig_oracle import KDE

CASES = Path(__file__).parent / "data" / "kconfig"
#: Real kwinrc and baloofilerc files, where a checkout has them beside it.
REAL = Path(__file__).parents[2] / "shared" / "data" / "kconfig"

ACCEPTED = sorted(case.parent for case in CASES.glob("*/after"))
REFUSED = sorted(case.parent for case in CASES.glob("*/refused"))
CORPUS = [*(case / "before" for case in ACCEPTED), *sorted(REAL.glob("*rc"))]


@pytest.fixture(scope="module")
def kde(tmp_path_factory: pytest.TempPathFactory) -> KDE:
    return KDE(tmp_path_factory.mktemp("kde"))


def test_every_case_is_walked() -> None:
    assert len(ACCEPTED) > 40
    assert {*ACCEPTED, *REFUSED} == {entry for entry in CASES.iterdir() if entry.is_dir()}


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_case(case: Path, kde: KDE) -> None:
    """`before` and `desired.json` make `after`, KDE agrees, and a second run changes nothing."""
    before, after = (case / "before").read_bytes(), (case / "after").read_bytes()
    desired = declared(json.loads((case / "desired.json").read_text()))
    merged = merge(before, desired)
    assert merged.text == after
    assert bool(merged.changes) == (before != after)
    assert merge(after, desired) == Merged(after, ())
    for group, keys in desired.items():
        for spelled, declaration in keys.items():
            wanted = declaration if isinstance(declaration, Entry) else Entry(declaration)
            key, _, options = spelled.removesuffix("]").partition("[$")
            expected: str | None = wanted.value
            if "d" in options or (
                wanted.default is not None and values(after, {group: [key]})[group, key] is None
            ):
                expected = None
            elif "e" in options:
                expected = wanted.value.replace("$HOME", str(kde.home))
            assert kde.read(after, group, key) == expected, (group, spelled)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(case: Path) -> None:
    """What cannot be brought in force is refused with its line."""
    desired = declared(json.loads((case / "desired.json").read_text()))
    with pytest.raises(KConfigError) as error:
        merge((case / "before").read_bytes(), desired, name="before")
    assert str(error.value) == (case / "refused").read_text().strip()
