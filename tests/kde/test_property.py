"""Hostile files and declarations: six promises of a merge, with KDE itself as the judge.

A long run: KCONFIG_EXAMPLES=5000 pytest tests/kde/test_property.py
"""

from __future__ import annotations

import os
from itertools import cycle

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from converge.kde.merge import (
    Desired,
    EntryChange,
    Group,
    KConfigError,
    Merged,
    drift,
    merge,
    remembered,
    values,
)
from converge.kde.text import ROOT, print_entry, print_group, read_spelling
from tests.kde.coded import octets, several
from tests.kde.oracle import KDE, Entries, unprinted

EXAMPLES = int(os.environ.get("KCONFIG_EXAMPLES", "120"))
HOSTILE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

GROUPS: list[Group] = [
    (ROOT,),
    ("A",),
    ("A", "B"),
    ("B",),
    (" s ",),
    ('"q"',),
    ("a]b", "[c"),
    ("a=b #",),
    ("$i",),
    ("$Version",),
    ("é\u00a0",),
    ("A@1", "%(x)s"),
]
KEYS = [
    *("k", "K", "two words", "a=b", "a[b", '"q"', "'", "x#y", ";z", "%(x)s", " edge ", "a\tb"),
    *("é", "k@1", "-", "\u2028"),
]
VALUES = [
    *("", " ", "1", "a,b", "a\\,b", '"q"', "'", '"""', "# c", "a # b", "x=y", "%(x)s", "[d]", "$$")
]
TEXT = st.text(st.characters(codec="utf-8"), max_size=10)
VALUE = st.sampled_from(VALUES) | TEXT
#: What stands in files besides well-formed lines. Not `[]`: KDE's own rewrite moves what is below
#: it to the root group. Not `[$i]`: KDE does not rewrite such a file.
JUNK = [
    *(
        "",
        "   ",
        "# c",
        "#k=1",
        "; k",
        "junk",
        "=5",
        "k",
        "[A",
        "[A][B",
        "[][B]",
        "[x][]",
        "[A]x",
    ),
    *(
        "[A] # c",
        "[A][$i] # c",
        "[A][$i]",
        "[B][$i]",
        "k[$d]",
        "k[$d]=1",
        "k[$i]=1",
        "k[$ie]=$x",
    ),
    *("[A][B][$i]", "k[$x]=2", "k[$di]", "k[$id]", " k = 1 ", "k\t=\t1\t", "k=a\\qb", "k=\\x4"),
    *(
        "K[de]=1",
        "K[de][fr]=2",
        "K[de",
        "\\x6b=3",
        "k=\\x31\\",
        "k='1'",
        "k=\\s1\\s",
        "z=\\x80",
    ),
]

#: Some stand more often, so that a declaration meets an entry of the file, also one that is locked
#: or stands twice.
OFTEN_GROUPS = [*GROUPS, *9 * [(ROOT,), ("A",), ("A",)]]
OFTEN_KEYS = [*KEYS, *14 * ["k", "K"]]
#: A line of a file: a header, an entry as KDE writes it, or anything else. None for the value of an
#: entry is drawn; the counts make two headers, five entries and three others of ten lines.
Line = tuple[str, str, str | None] | bytes
ENTRIES: list[Line] = [
    (key, options, value)
    for key in OFTEN_KEYS
    for options in ("", "", "", "e", "i", "ie", "d")
    for value in (*VALUES, *(None for _ in VALUES))
]
TENTH = len(ENTRIES) // 5
LINES: list[Line] = [
    *(print_group(group) for group in OFTEN_GROUPS for _ in range(2 * TENTH // len(OFTEN_GROUPS))),
    *ENTRIES,
    *(junk.encode() for junk in JUNK for _ in range(3 * TENTH // len(JUNK))),
]
ONE, SOME = several(LINES, least=1, most=1), several(LINES, most=25)
UNIX, DOS = b"\n", b"\r\n"
ENDS = ((UNIX,), (UNIX,), (UNIX, UNIX, DOS), (DOS, UNIX), (DOS,))  # of the lines, in turn
ABOUT = [  # a mark of byte order, how lines end, and whether the last one has no end
    (mark, ends, last)
    for mark in (b"", b"", b"", b"\xef\xbb\xbf")
    for ends in ENDS
    for last in (False, False, False, False, True)
]


def joined(draw: st.DrawFn, found: list[Line], ends: tuple[bytes, ...]) -> bytes:
    text = b""
    for line, end in zip(found, cycle(ends)):
        if not isinstance(line, bytes):
            key, options, value = line
            line = print_entry(key, options, draw(TEXT) if value is None else value)
        text += line + end
    return text


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """One line of a file."""
    return joined(draw, draw(ONE), draw(st.sampled_from(ENDS)))


@st.composite
def files(draw: st.DrawFn) -> bytes:
    mark, ends, last = draw(st.sampled_from(ABOUT))
    text = mark + joined(draw, draw(SOME), ends)
    return text.removesuffix(b"\n") if last else text


DECLARED = several(
    [
        (group, key, option)
        for group in OFTEN_GROUPS
        for key in OFTEN_KEYS
        for option in ("", "", "", "[$e]", "[$d]", "[$i]")
    ],
    least=1,
    most=6,
)


@st.composite
def declarations(draw: st.DrawFn) -> Desired:
    """Up to three groups with up to two keys each."""
    desired: dict[Group, dict[str, str]] = {}
    named = set()
    for group, key, option in draw(DECLARED):
        keys = desired.setdefault(group, {}) if len(desired) < 3 else desired.get(group)
        if keys is not None and len(keys) < 2 and (group, key) not in named:
            named.add((group, key))
            keys[key + option] = "" if option == "[$d]" else draw(VALUE)
    return desired


@pytest.fixture
def kde(tmp_path_factory: pytest.TempPathFactory) -> KDE:
    return KDE(tmp_path_factory.mktemp("kde"))


def others(entries: Entries, desired: Desired) -> dict[tuple[bytes, bytes, str], bytes | None]:
    """(group, key, lock) -> value of every entry that is not declared."""
    declared = {
        (b"" if group == (ROOT,) else print_group(group), read_spelling(spelled)[0].encode())
        for group, keys in desired.items()
        for spelled in keys
    }
    rest = {}
    for (header, printed), value in entries.items():
        key, _, options = printed.partition(b"[$")
        if (header.removesuffix(b"[$i]"), unprinted(key)) not in declared:
            rest[header, key, options.decode()] = value
    return rest


def printed_options(entries: Entries) -> dict[tuple[bytes, bytes], tuple[bytes, bytes | None]]:
    """(header, key) -> (options, value), all as KDE prints them but for the key."""
    found = {}
    for (header, printed), value in entries.items():
        key, _, options = printed.partition(b"[$")
        found[header.removesuffix(b"[$i]"), unprinted(key)] = (options, value)
    return found


def assert_kde_has(entries: Entries, desired: Desired) -> None:
    printed = printed_options(entries)
    for group, spelled, wanted in flat(desired):
        key, options = read_spelling(spelled)
        header = b"" if group == (ROOT,) else print_group(group)
        found, value = printed[header, key.encode()]
        assert (b"d" in found) == ("d" in options)
        assert b"e" in found or "e" not in options or "$" not in wanted
        assert b"i" in found or "i" not in options
        if "d" in options:
            assert value is None
        else:
            assert unprinted(value or b"") == wanted.encode()


def assert_lines_stay(before: bytes, after: bytes, changes: tuple[EntryChange, ...]) -> None:
    """Of the lines, only those that a change names are gone, and little is added."""
    gone = {change.line for change in changes}
    old = before.removesuffix(b"\n").split(b"\n") if before else []
    new = after.removesuffix(b"\n").split(b"\n")
    rest = iter(new)
    for number, line in enumerate(old, start=1):
        if number not in gone:
            assert any(line == kept or line + b"\r" == kept for kept in rest), (number, line)
    assert len(new) <= len(old) + 4 * len(changes)
    assert not changes or not before or before.endswith(b"\n") == after.endswith(b"\n")


def flat(desired: Desired) -> list[tuple[Group, str, str]]:
    return [(group, spelled, value) for (group, spelled), value in remembered(desired).items()]


@pytest.mark.slow
@HOSTILE
@given(before=files(), desired=declarations(), data=st.data())
def test_six_promises(kde: KDE, before: bytes, desired: Desired, data: st.DataObject) -> None:
    try:
        merged = merge(before, desired)
    except KConfigError as error:  # KDE would read a translation: `K[de]=1` in the file
        event("refused")
        assert error.line
        assert b"K[de]" in before.split(b"\n")[error.line - 1]
        assert any(read_spelling(spelled)[0] == "K" for _, spelled, _ in flat(desired))
        return
    after = merged.text
    event(f"{len(merged.changes)} changes")

    # 1. KDE reads what is declared; by its reading tool, too, with one entry for all.
    judged = kde.entries(after)
    assert judged is not None
    assert_kde_has(judged, desired)
    group, spelled, wanted = data.draw(st.sampled_from(flat(desired)))
    key, options = read_spelling(spelled)
    expected = None if "d" in options else wanted
    if "\0" not in wanted and not ("e" in options and "$" in wanted):
        assert kde.read(after, group, key) == expected
    assert values(after, {group: [spelled]}) == {(group, key): expected}

    # 2. Every other entry, and every lock, reads as before.
    original = kde.entries(before)
    assert original is not None
    assert others(judged, desired) == others(original, desired)

    # 3. A second run changes nothing.
    assert merge(after, desired) == Merged(after, ())

    # 4. No other line is touched.
    assert_lines_stay(before, after, merged.changes)

    # 5. KDE rewrites the whole file: still no change.
    canonical = kde.rewrite(after)
    assert canonical is not None
    assert merge(canonical, desired).changes == ()

    # 6. KDE changes a declared entry: it is told as drift, and healed.
    changed = kde.write(after, group, key, "--", "somebody's")
    if changed is None:
        assert b"[$" in after  # a lock, which KDE's own tools respect
        return
    assume(wanted != "somebody's")
    healed = merge(changed, desired)
    told = [(change.group, change.key, change.found) for change in healed.changes]
    assert told == [(group, key, "somebody's")]
    (one,) = drift(healed.changes, remembered(desired))
    assert (one.old, one.found) == (expected, "somebody's")
    assert merge(healed.text, desired).changes == ()


@pytest.mark.slow
@settings(HOSTILE, max_examples=10 * EXAMPLES)
@given(text=files() | st.binary(max_size=80))
def test_a_file_nobody_declares_anything_of_stays(text: bytes) -> None:
    assert merge(text, {}) == Merged(text, ())


@pytest.mark.slow
@settings(HOSTILE, max_examples=10 * EXAMPLES)
@given(
    text=files() | octets(b"ak=[]$ied\\\r\n\t #\xffx1", most=40),
    desired=declarations() | st.just({("a",): {"k": "1", "a[$d]": "", "e[$e]": "$x"}}),
)
def test_a_merge_settles_or_refuses(text: bytes, desired: Desired) -> None:
    try:
        after = merge(text, desired).text
    except KConfigError as error:
        assert error.line
        return
    assert merge(after, desired) == Merged(after, ())
