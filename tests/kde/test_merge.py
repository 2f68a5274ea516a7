"""A KDE file after a merge: KDE reads the declared entries, and every other byte is as it was."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from converge.kde.merge import Entry, Group, KConfigError, Merged, declared, merge, values
from converge.kde.text import ROOT
from tests.kde.oracle import KDE, Entries, unprinted

CASES = Path(__file__).parents[1] / "data" / "kconfig"
#: Real kwinrc and baloofilerc files, where a checkout has them beside it.
REAL = Path(__file__).parents[3] / "shared" / "data" / "kconfig"

ACCEPTED = sorted(case.parent for case in CASES.glob("*/after"))
REFUSED = sorted(case.parent for case in CASES.glob("*/refused"))
#: KDE does not rewrite the one, and moves the entries of the other: test_case alone is their judge.
NOT_REWRITTEN = {
    "a-file-locked-as-a-whole-is-read-by-the-same-rules",
    "an-unnamed-group-is-not-the-root",
}
CORPUS = [
    *(case / "before" for case in ACCEPTED if case.name not in NOT_REWRITTEN),
    *sorted(REAL.glob("*rc")),
]


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
    """An entry that cannot be brought in force is refused with its line."""
    desired = declared(json.loads((case / "desired.json").read_text()))
    with pytest.raises(KConfigError) as error:
        merge((case / "before").read_bytes(), desired, name="before")
    assert str(error.value) == (case / "refused").read_text().strip()


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_every_file_takes_changes_and_keeps_the_rest(file: Path, kde: KDE) -> None:
    """Each third entry of the file changed, and one added: KDE reads the rest as before."""
    before = file.read_bytes()
    assert merge(before, {}).text == before
    original = kde.entries(before)
    assert original is not None
    desired: dict[Group, dict[str, str]] = {("Compositing",): {"brand new": "\\ new, [é] #"}}
    expected = dict(original)
    expected[b"[Compositing]", b"brand new"] = "\\\\ new, [é] #".encode()
    for number, (header, printed) in enumerate(sorted(original)):
        key, _, options = printed.removesuffix(b"]").partition(b"[$")
        if number % 3 or b"\\" in key or (header, key) in translated(original):
            continue
        group = tuple(unprinted(part).decode("utf-8", "replace") for part in parts(header))
        spelled = unprinted(key).decode() + "[$e]" * (b"e" in options)
        desired.setdefault(group, {})[spelled] = f"changed {number}"
        left = options.replace(b"d", b"")
        del expected[header, printed]
        expected[header, key + (b"[$%b]" % left if left else b"")] = b"changed %d" % number
    after = merge(before, desired).text
    assert kde.entries(after) == expected
    assert merge(after, desired) == Merged(after, ())
    canonical = kde.rewrite(after)
    assert canonical is not None
    assert merge(canonical, desired).changes == ()


def parts(header: bytes) -> list[bytes]:
    """The names in a header as KDE prints it."""
    found = re.findall(rb"\[([^]]*)\]", header.removesuffix(b"[$i]"))
    return found or [ROOT.encode()]


def translated(entries: Entries) -> set[tuple[bytes, bytes]]:
    """Translations, and the entries that have one: neither can be declared."""
    found = set()
    for header, printed in entries:
        key, bracket, _ = printed.partition(b"[")
        if bracket and not printed.startswith(b"$", len(key) + 1):
            found |= {(header, key), (header, printed.removesuffix(b"]")), (header, printed)}
    return found


def test_kde_reads_the_translation_whose_line_is_refused(kde: KDE) -> None:
    """Why a plain key that has a translation cannot be declared: KDE would read the other line."""
    for text in (b"[A]\nname=1\nname[]=eins\n", b"[A]\nname[]=eins\nname=1\n"):
        assert kde.read(text, ["A"], "name") == "eins"
        with pytest.raises(KConfigError):
            merge(text, {("A",): {"name": "1"}})
