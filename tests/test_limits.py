"""The limits on the words of a workspace, and every reader of them under hostile words."""

from __future__ import annotations

import contextlib
import io
import json
import re
import tarfile
import time
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converge.effect import Effect
from converge.gate import detect
from converge.journal.form import plain
from converge.journal.kinds import FindingRecord
from converge.kde import chezmoi
from converge.measure import memory, samples
from converge.measure.history import History
from converge.plan.observed import SnapshotError, parse
from converge.plan.snapshot import Generation
from converge.plan.written import LastWritten
from converge.proof import inquiry
from converge.proof.check import Reply, When
from converge.subjects.checks import ITEMS, PROOFS
from converge.text import limits
from tests.plan.test_snapshot import answer
from tests.proof import checks
from tests.subjects import CASES

FUZZ = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# ---- numbers, JSON, archives ---------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "9" * 19, "1e3", "\u0663", "1_000", " 1", "+1", "0x1", "-"])
def test_what_is_no_short_decimal_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        limits.number(text)
    assert limits.count(text) is None


def test_numbers_are_read() -> None:
    assert (limits.number("-42"), limits.count("9" * 18)) == (-42, 10**18 - 1)
    assert [limits.decimal(text) for text in ("1", "2.5", "6.4e-05")] == [1, 2.5, 6.4e-05]
    for text in ("1e400", "inf", "nan", "9" * 400, "1." + "1" * 400):
        with pytest.raises(ValueError, match="not a decimal"):
            limits.decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        "[" * 65 + "]" * 65,
        '{"a":' * 900 + "1" + "}" * 900,
        "9" * 400,
        "-" + "9" * 5000,
        "1e400",
        "1." + "0" * 400,
        "NaN",
        "-Infinity",
        '{"a": ',
        b"\xff\xfe",
    ],
)
def test_json_beyond_a_limit_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        limits.document(text)


def test_json_within_the_limits_is_read() -> None:
    assert limits.document('{"a": [1, 2.5, "x", null, true]}') == {"a": [1, 2.5, "x", None, True]}
    assert limits.document("[" * 64 + "]" * 64)


def tar(*members: tarfile.TarInfo | tuple[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for member in members:
            if isinstance(member, tuple):
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
            else:
                archive.addfile(member)
    return buffer.getvalue()


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_that_are_long_and_no_ascii_are_read(form: int) -> None:
    name = "/home/" + "ü" * 150
    link = tarfile.TarInfo("/link")
    link.type, link.linkname = tarfile.SYMTYPE, name
    found = list(limits.members(tar((name, b"content"), link, form=form)))
    assert [(one.name, one.linkname, content) for one, content in found] == [
        (name, "", b"content"),
        ("/link", name, b""),
    ]


def negative() -> bytes:
    block = bytearray(tar(("/x", b""))[:512])
    block[124:136] = b"\xff" * 11 + b"\x00"  # base 256, a size below zero
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"\0" * 1024


def chain(kind: bytes) -> bytes:
    one = tarfile.TarInfo("x")
    one.type = kind
    return one.tobuf(tarfile.GNU_FORMAT) * 9000 + tar(("/x", b""))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (negative(), "within a member"),
        (tar(("/x", b"1" * 600))[:700], "within a member"),
        (tar(("/x", b""))[:300], "damaged"),
        (tar(("/x", b""))[:512], "no end"),
        (b"x" * 512, "damaged"),
    ],
)
def test_a_damaged_archive_is_a_value_error(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        list(limits.members(data))


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE, tarfile.XHDTYPE])
def test_headers_that_belong_to_each_other_are_no_recursion(kind: bytes) -> None:
    assert len(list(limits.members(chain(kind)))) == 1


def test_hard_links_to_one_big_file_take_no_memory_before_they_are_refused() -> None:
    links = []
    for number in range(2000):
        link = tarfile.TarInfo(f"/{number}")
        link.type, link.linkname = tarfile.LNKTYPE, "/big"
        links.append(link)
    data = tar(("/big", b"\0" * (4 << 20)), *links)
    tracemalloc.start()
    with pytest.raises(ValueError, match="larger than"):
        list(limits.members(data))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20


# ---- every reader under hostile words ------------------------------------------------------------

HOSTILE = st.sampled_from(
    [
        *("9" * 400, "-" + "9" * 400, "1e400", "NaN", "", "\0", "\udc80", "\ud800", "\u0663"),
        *("[" * 5000 + "]" * 5000, '{"a":' * 5000, "{}", "[]", "null", "[[]]", '"x"', "[{}]"),
        *(" ", "\t", "\u2028", "\x1b[2J", "=" * 40, "-" * 40, "- - -", "0", "-1", "1/0", "%s%n"),
    ]
)
WORD = st.one_of(HOSTILE, st.text(max_size=12), st.from_regex(r"[a-z_.-]{1,12}", fullmatch=True))
LINES = st.lists(st.lists(WORD, max_size=6).map(" ".join), max_size=8)
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(10**30, 10**400),
        st.floats(),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@FUZZ
@given(LINES, st.integers(0, 30), st.booleans())
def test_a_snapshot_is_read_or_refused(more: list[str], at: int, replace: bool) -> None:
    rows = answer(
        "mark nixos", "lock run r", "transaction /a/b 1 yes 5 kept", "generation home 1 x /"
    )
    rows[at : at + replace] = more
    with contextlib.suppress(SnapshotError):
        found = parse(rows)
        _ = (found.clock, found.open_transaction, found.last_transaction, found.needs_sudo)


@FUZZ
@given(st.one_of(JSON.map(json.dumps), WORD))
def test_records_of_a_workspace_are_read_or_damaged(text: str) -> None:
    content = text.encode(errors="surrogatepass")
    written, history = LastWritten.parse(content), History.parse(content)
    assert isinstance(written.damaged, bool)
    history.encode()
    written.encode()
    with contextlib.suppress(chezmoi.ChezmoiError):
        chezmoi.read_last_written(0, text, "")


@FUZZ
@given(LINES)
def test_a_machine_and_its_memory_are_read_or_refused(more: list[str]) -> None:
    with contextlib.suppress(detect.NotDetected):
        text = "\n".join(["detect\t1", *(one.replace(" ", "\t") for one in more)])
        detect.parse(f"{text}\ndetected\n")
    with contextlib.suppress(memory.UnknownMemory):
        memory.parse(["workspace-memory 1", *more, "history", "end"])
    samples.parse(more)


@FUZZ
@given(
    st.sampled_from(sorted(CASES)), st.integers(0, 2**32), st.lists(WORD, min_size=1, max_size=3)
)
def test_a_check_judges_whatever_its_programs_print(name: str, seed: int, words: list[str]) -> None:
    """Right answers with hostile words put into them: a finding comes out, and none proves more."""
    case = CASES[name]

    def spoil(text: str) -> str:
        parts = re.split(r"([\s,:={}\[\]\"]+)", text)
        for number, word in enumerate(words):
            parts[(seed >> (8 * number)) % len(parts)] = word
        return "".join(parts)

    replies = {}
    for key, good in case.good.items():
        text = good if isinstance(good, str) else good.text
        status = 0 if isinstance(good, str) else good.status
        spoilt = spoil(text).encode(errors="replace")
        replies[key] = Reply(status=status, output=spoilt, errors=words[0])
    found = checks.judge(name, replies, known=case.context)
    assert found.effect in Effect
    assert json.dumps(plain(FindingRecord.of(found)))


@FUZZ
@given(st.lists(st.one_of(LINES.map(" ".join), st.just("answer 0 =AAAA 0 ="), WORD), max_size=8))
def test_the_frame_of_the_checks_is_read_or_unknown(lines: list[str]) -> None:
    known = checks.context()
    todo = inquiry.jobs(known, ITEMS, PROOFS, when=frozenset(When))
    asked = inquiry.questions(known, todo)
    found = inquiry.findings(known, todo, inquiry.read(known, asked, lines))
    assert len(found) == len(todo)


@FUZZ
@given(WORD, WORD, WORD)
def test_a_hostile_snapshot_leaves_every_check_with_a_finding(
    path: str, kind: str, home: str
) -> None:
    """Generations, flakes and facts are words of the workspace as well."""
    made = checks.snapshot()
    generation = Generation(number=10**17, path=path, current=True)
    facts = {**made.facts, "home": home, "hostname": kind}
    known = checks.context(
        generations={"system": (generation,), "home": ()},
        facts=facts,
        flakes={
            name: replace(one, scheme=kind, directory=path) for name, one in made.flakes.items()
        },
    )
    todo = inquiry.jobs(known, ITEMS, PROOFS, when=frozenset(When))
    asked = inquiry.questions(known, todo)
    inquiry.arguments(known, asked)
    assert len(inquiry.findings(known, todo, inquiry.read(known, asked, []))) == len(todo)


def test_no_reader_takes_more_than_a_moment_for_a_full_answer() -> None:
    """A regular expression that goes back and forth would hold up every other workspace."""
    for filler in ("9" * 40, "a ", " ", "\n", " \n", "=\n", "x,", "[" * 30, "\t", "0.", "a:", "/"):
        text = (filler * (inquiry.CAP // len(filler)))[: inquiry.CAP - 1]
        for name, case in CASES.items():
            replies = {key: Reply(status=0, output=text.encode(), errors=text) for key in case.good}
            began = time.process_time()
            checks.judge(name, replies, known=case.context)
            assert time.process_time() - began < 3, (name, filler)
