"""Single lines: KDE reads each one as we do, and reads back each one that we print.

Many lines go into one file, each in a group of its own, so that one process judges hundreds.
"""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converge.kde.text import (
    SEPARATOR,
    EntryLine,
    HeaderLine,
    KConfigError,
    Skipped,
    check_group,
    check_value,
    print_entry,
    print_group,
    read_line,
    read_spelling,
)
from tests.kde.coded import several
from tests.kde.oracle import KDE, unprinted

#: A long run: KCONFIG_EXAMPLES=2000 pytest tests/kde/test_text.py
EXAMPLES = int(os.environ.get("KCONFIG_EXAMPLES", "50"))
LONG = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

#: Pieces that mean something to one reader or another.
SOUP = [
    *"abc=[]\\#;,.%$@'\"",
    *(" ", "  ", "\t", "é", "\u00a0", "\u2028", "\x1c", "\x7f", "\x01"),
    *("\\s", "\\t", "\\n", "\\r", "\\\\", "\\,", "\\;", "\\x41", "\\x3d", "\\xzz", "\\x4"),
    *("[$e]", "[$i]", "[$d]", "[$ie]", "[$di]", "[$id]", "[$x]", "[$]", "[de]", "[]", "\\q"),
    *("][", "[a]", "[b]", "x=", "=1", "<default>"),
]
RAW = several(SOUP, least=1, most=7).map("".join)
#: Text that a declaration may hold; no surrogates, and names without NUL.
TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | several(SOUP, most=4).map("".join)
NAME = TEXT.filter(lambda name: "\0" not in name)


@pytest.fixture
def kde(tmp_path_factory: pytest.TempPathFactory) -> KDE:
    return KDE(tmp_path_factory.mktemp("kde"))


def spelling(key: bytes) -> tuple[bytes, str]:
    """(printed key, options) as KDE prints them."""
    match = re.fullmatch(rb"(.*?)(?:\[\$([a-z]+)\])?", key, re.DOTALL)
    assert match is not None
    return match[1], (match[2] or b"").decode()


def is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.slow
@LONG
@given(lines=st.lists(RAW.filter(lambda raw: raw.strip()[:1] != "["), min_size=30, max_size=60))
def test_kde_reads_an_entry_as_we_do(kde: KDE, lines: list[str]) -> None:
    text = "".join(f"[g{n}]\n{line}\n" for n, line in enumerate(lines)).encode()
    entries = kde.entries(text)
    assert entries is not None
    judged = {int(header[2:-1]): (key, value) for (header, key), value in entries.items()}
    for number, line in enumerate(lines):
        ours, theirs = read_line(line.encode()), judged.get(number)
        if not isinstance(ours, EntryLine) or not ours.key:
            assert theirs is None, line
            continue
        if ours.broken or ours.rival is not None or not is_text(ours.key):
            continue  # KDE releases disagree
        if ours.locale is not None:
            continue  # how it is printed depends on the language
        assert theirs is not None, line
        key, options = spelling(theirs[0])
        assert unprinted(key) == ours.key, line
        assert {*options} == {*ours.options}, line
        assert unprinted(theirs[1] or b"") == ours.value, line


@pytest.mark.slow
@LONG
@given(lines=st.lists(RAW.map(lambda raw: f"[{raw}"), min_size=30, max_size=60))
def test_kde_reads_a_header_as_we_do(kde: KDE, lines: list[str]) -> None:
    text, group = b"[start]\n", b"start"
    expected: dict[bytes, bytes] = {}
    for number, line in enumerate(lines):
        match read_line(line.encode()):
            case HeaderLine() as header:
                if header.locks_file or not header.group or not is_text(header.group):
                    continue  # not to be rewritten; no name to print; KDE releases disagree
                group = header.group
            case other:
                assert other is Skipped.HEADER
        text += f"{line}\nk{number}=1\n".encode()
        expected[f"k{number}".encode()] = group
    entries = kde.entries(text)
    assert entries is not None
    judged = {}
    for header_line, key in entries:
        parts = re.findall(rb"\[([^]]*)\]", header_line)
        if parts and parts[-1] == b"$i":
            parts.pop()
        name = SEPARATOR.encode().join(map(unprinted, parts)) or b"<default>"
        judged[spelling(key)[0]] = name
    assert judged == expected


@pytest.mark.slow
@LONG
@given(pairs=st.lists(st.tuples(NAME, TEXT), min_size=30, max_size=60))
def test_kde_reads_back_what_we_print(kde: KDE, pairs: list[tuple[str, str]]) -> None:
    accepted = []
    for key, value in pairs:
        try:
            if read_spelling(key) == (key, ""):
                accepted.append((key, value))
        except KConfigError:
            continue
    text = b"".join(
        b"[g%d]\n%s\n" % (n, print_entry(key, "", value)) for n, (key, value) in enumerate(accepted)
    )
    entries = kde.entries(text)
    assert entries is not None
    judged = {
        (header, unprinted(key)): unprinted(value or b"")
        for (header, key), value in entries.items()
    }
    assert judged == {
        (b"[g%d]" % n, key.encode()): value.encode() for n, (key, value) in enumerate(accepted)
    }


@pytest.mark.slow
@LONG
@given(groups=st.sets(st.lists(NAME, min_size=1, max_size=3).map(tuple), min_size=20, max_size=60))
def test_kde_reads_back_the_groups_we_print(kde: KDE, groups: set[tuple[str, ...]]) -> None:
    accepted = []
    for group in sorted(groups):
        try:
            check_group(group)
            accepted.append(group)
        except KConfigError:
            continue
    text = b"".join(print_group(group) + b"\nk%d=1\n" % n for n, group in enumerate(accepted))
    entries = kde.entries(text)
    assert entries is not None
    judged = {}
    for header, key in entries:
        parts = tuple(unprinted(part).decode() for part in re.findall(rb"\[([^]]*)\]", header))
        judged[int(key[1:])] = parts or ("<default>",)
    assert judged == dict(enumerate(accepted))


@pytest.mark.parametrize(
    ("spelled", "key", "options"),
    [
        ("exclude folders[$e]", "exclude folders", "e"),
        ("a[$ei]", "a", "ie"),
        ("gone[$d]", "gone", "d"),
        ("a=b [c", "a=b [c", ""),
        ("a]", "a]", ""),
        (" a ", " a ", ""),
        ("a#b", "a#b", ""),
    ],
)
def test_a_key_is_declared_as_kconfig_spells_it(spelled: str, key: str, options: str) -> None:
    assert read_spelling(spelled) == (key, options)


@pytest.mark.parametrize(
    ("spelled", "why"),
    [
        ("", "has no name"),
        ("[$e]", "has no name"),
        ("#a", "comment"),
        ("a\\b", "backslash"),
        ("Name[de]", "names a translation"),
        ("Name[de][$e]", "names a translation"),
        ("a[$x]", "not one of KConfig's options"),
        ("a[$]", "not one of KConfig's options"),
        ("a[$ed]", "not one of KConfig's options"),
        ("a[$id]", "not one of KConfig's options"),
        ("a\0b", "NUL"),
        ("a\ud800", "not Unicode"),
    ],
)
def test_a_key_that_cannot_be_read_back_is_refused(spelled: str, why: str) -> None:
    with pytest.raises(KConfigError, match=re.escape(why)):
        read_spelling(spelled)


@pytest.mark.parametrize(
    ("group", "why"),
    [
        ("Windows", "not a tuple"),
        (("A", 1), "not a tuple"),
        ((), "empty part"),
        (("A", ""), "empty part"),
        (("<default>", "A"), "no groups of its own"),
        (("A\x1dB",), "separator"),
        ((" a]",), "drops the spaces"),
        (("a\0",), "NUL"),
    ],
)
def test_a_group_that_cannot_be_read_back_is_refused(group: object, why: str) -> None:
    with pytest.raises(KConfigError, match=re.escape(why)):
        check_group(group)


@pytest.mark.parametrize("value", [True, 1, 0.5, None, ["a"], "\udc80"])
def test_a_value_is_text(value: object) -> None:
    with pytest.raises(KConfigError):
        check_value(value)
