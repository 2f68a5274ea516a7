"""Strict YAML: what is refused, and at which place; all other data comes out unchanged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from converge.problem import Problem, hidden_characters
from converge.profile.document import MAX_BYTES, MAX_PROBLEMS, InvalidInput, Place, load, parse
from converge.profile.scalar import RefusedScalar, plain


def refused(path: Path) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        load(path)
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# ---- what a file may be --------------------------------------------------------------------------


def test_symbolic_link_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "real.yaml", "a: 1\n")
    link = tmp_path / "link.yaml"
    link.symlink_to("real.yaml")
    assert refused(link) == [
        "link.yaml: is a symbolic link, expected a regular file; name a YAML file"
    ]


def test_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "is a FIFO" in refused(tmp_path / "pipe.yaml")[0]


def test_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in refused(tmp_path)[0]


def test_device_is_refused() -> None:
    assert "is a socket or device" in refused(Path("/dev/zero"))[0]


def test_missing_file_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml") == [
        "none.yaml: cannot be read: No such file or directory; check the path and its permissions"
    ]


def test_nul_in_the_path_is_refused_and_not_printed() -> None:
    with pytest.raises(InvalidInput) as caught:
        load("a\0b.yaml")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 10_000_000])
def test_large_file_is_refused(tmp_path: Path, size: int) -> None:
    assert "is larger than 256 KiB" in refused(write(tmp_path / "a.yaml", b"#" * size))[0]


def test_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    text = "a: 1\n#"
    path = write(tmp_path / "a.yaml", text + "x" * (MAX_BYTES - len(text)))
    assert load(path).data == {"a": 1}


# ---- places --------------------------------------------------------------------------------------


def test_every_node_has_its_line_and_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", "# first\na:\n  b: [1, 'ä', x]\n  c: {d: true}\n")
    document = load(path)
    assert document.data == {"a": {"b": [1, "ä", "x"], "c": {"d": True}}}
    assert document.place(("a", "b", 1)) == Place(3, 10)
    assert document.place(("a", "b", 2)) == Place(3, 15)
    assert document.key(("a", "c", "d")) == Place(4, 7)
    assert document.place(("a", "c", "d")) == Place(4, 10)
    assert document.place(("a", "c", "missing")) == Place(4, 6)


def test_all_problems_come_at_once_and_in_order(tmp_path: Path) -> None:
    lines = refused(write(tmp_path / "a.yaml", "a: on\nb: 0755\na: 1\nc: !x y\n"))
    assert [line.split(": ")[0] for line in lines] == [
        "a.yaml:1:4",
        "a.yaml:2:4",
        "a.yaml:3:1",
        "a.yaml:4:4",
    ]


def test_a_file_full_of_faults_ends_early() -> None:
    text = "a: [" + "~, " * 50_000 + "1]\n"
    with pytest.raises(InvalidInput) as caught:
        parse(text, "a.yaml")
    assert len(caught.value.problems) == MAX_PROBLEMS


def test_specific_problems_come_before_their_consequences() -> None:
    late = Problem("a", 1, 1, "x", "the key x is missing", "", 2)
    early = Problem("a", 9, 1, "y", "is not a known key", "", 0)
    assert InvalidInput([late, early]).problems == (early, late)


def test_what_is_printed_has_no_control_characters(tmp_path: Path) -> None:
    name = tmp_path / "a\x1b[31m.yaml"
    lines = refused(write(name, '"k\\x1b\\u202e": "v\\u0007"\n'))
    assert lines
    assert all(line.isprintable() for line in lines)


# ---- scalars -------------------------------------------------------------------------------------

_WORDS = """
on On ON off Off OFF yes Yes YES no No NO y Y n N True TRUE False FALSE ~ null Null NULL
3.10 3.0 1. .5 1e3 1E3 1.5e-3 +1.0 -0.0 .inf -.inf +.INF .nan .NaN
0755 0o17 0x1F 0b11 1_000 1_0.0 +1 -0 -01 00 190:20:30 12:30:45 12:30:45.5
2025-12-30 2025-1-2 2025-12-30T10:00:00Z = << 9007199254740992 123456789012345678901234567890
"""
SURPRISES = _WORDS.split()


@pytest.mark.parametrize("text", ["", *SURPRISES, "2025-12-30 10:00:00"])
def test_scalar_that_readers_disagree_about_is_refused(text: str) -> None:
    assert isinstance(plain(text), RefusedScalar)


@pytest.mark.parametrize("text", SURPRISES)
def test_the_same_scalar_in_quotes_is_text(text: str) -> None:
    document, problems = parse(f"a: '{text}'\n", "a.yaml")
    assert (document.data, problems) == ({"a": text}, ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-7", -7),
        ("9007199254740991", 2**53 - 1),
        ("true", True),
        ("false", False),
        ("x86-64-v3", "x86-64-v3"),
        ("on_demand", "on_demand"),
        ("1.2.3", "1.2.3"),
        ("10de:1401", "10de:1401"),
        ("inf", "inf"),
        ("0x", "0x"),
    ],
)
def test_scalar_that_readers_agree_about_is_taken(text: str, value: object) -> None:
    result = plain(text)
    assert result == value
    assert type(result) is type(value)


def test_an_endless_number_is_refused_in_a_short_message() -> None:
    for text in ("9" * 200_000, "0x" + "f" * 200_000, "1" + "_1" * 100_000, "1:" * 9_999 + "1"):
        result = plain(text)
        assert isinstance(result, RefusedScalar)
        assert len(result.message) < 200


@given(st.from_regex(r"[-+.:_0-9a-fA-FxXoOyYnN~<=TZ ]{1,12}", fullmatch=True))
@settings(max_examples=500, deadline=None)
def test_an_accepted_scalar_means_the_same_to_pyyaml_and_json(text: str) -> None:
    try:
        node = yaml.compose(f"k: {text}").value[0][1]
    except yaml.YAMLError:
        return
    if node.value != text or node.style is not None:
        return  # not one plain scalar
    result = plain(text)
    if isinstance(result, str):
        assert yaml.safe_load(f"k: {text}") == {"k": text}
    elif not isinstance(result, RefusedScalar):
        assert yaml.safe_load(text) == result
        assert json.loads(text) == result
        assert type(json.loads(text)) is type(result)


# ---- hostile input -------------------------------------------------------------------------------


@given(st.text())
@settings(deadline=None)
def test_quoted_text_arrives_unchanged_or_is_refused(text: str) -> None:
    written = json.dumps(text, ensure_ascii=False)
    try:
        document, problems = parse(f"k: {written}\n", "a.yaml")
    except InvalidInput:
        problems, document = (), None
    if next(hidden_characters(text), None) is None:
        assert document is not None
        assert not problems
        assert document.data == {"k": text}
    else:
        assert document is None or problems


@given(st.text(alphabet="ab:-[]{}&*!<>|'\"#%@\n ~01.,?=", max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_as_pyyaml_reads_it_or_refused(text: str) -> None:
    try:
        document, problems = parse(text, "a.yaml")
    except InvalidInput as error:
        assert error.problems
        return
    if not problems:
        assert document.data == yaml.safe_load(text)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused(tmp_path_factory: Any, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "a.yaml"
    path.write_bytes(data)
    try:
        load(path)
    except InvalidInput as error:
        assert error.problems
        assert all(str(problem).isprintable() for problem in error.problems)
