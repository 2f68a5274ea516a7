"""The snapshot of a workspace has what its answer says; an incomplete answer gives none."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converge.plan import layers
from converge.plan.observed import SnapshotError, parse
from converge.plan.snapshot import Kind, Snapshot
from converge.plan.written import LastWritten, SettingProof
from converge.text import limits
from tests.plan import plans
from tests.remote.reading import Reader
from tests.tools import need

FACTS = (
    *("fact uid 1000", "fact system_uid 0", "fact user me", "fact home /home/me"),
    *("fact state /home/me/state", "fact hostname h", "fact boot_id b"),
    *("fact uptime_s 5", "fact soak_boot b"),
    *("profile system /nix/p/system", "profile home /home/me/p/home"),
)


FLAKES = (
    *("flakes-read 1", "flake system absent - /etc/nixos", "flake home git d /home/me/flake"),
    *("flake_within home sub", "untracked home a b.nix", "flakes-end"),
)


def archive(*members: tarfile.TarInfo | tuple[str | tarfile.TarInfo, bytes]) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, tuple):
                name = member[0]
                info = tarfile.TarInfo(name) if isinstance(name, str) else name
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
            else:
                tar.addfile(member)
    return base64.b64encode(buffer.getvalue()).decode()


def answer(
    *lines: str,
    files: str = "",
    facts: Iterable[str] = FACTS,
    flakes: Iterable[str] = FLAKES,
) -> list[str]:
    """What ``remote/flakes.sh`` and ``remote/read.sh`` would print."""
    return [
        *flakes,
        *("workspace-read 1", *facts, *lines),
        *("files", files or archive(), "end"),
    ]


def test_every_word_has_its_place() -> None:
    found = parse(
        [
            *("cpu flags x", "detected"),
            *answer(
                *("mark nixos", "tool nix /bin/nix", "running system /nix/store/now"),
                *("generation home 9 old /nix/store/9", "generation home 10 current /nix/store/10"),
                *("built nixos abc /nix/store/new", "absent /home/me/x y", "unreadable /z"),
                "leftover /home/me/.a.wt-1",
                *("lock run r", "lock since 12", "lock alive yes"),
                "transaction /home/me/state/runs/r1/transaction 3 yes 42 activated r1 and more",
                files=archive(("/home/me/x", b"1")),
            ),
        ]
    )
    assert found.machine == ("cpu flags x", "detected")
    assert found.marks == {"nixos"}
    assert [one.number for one in found.generations["home"]] == [9, 10]
    current = found.current("home")
    assert current is not None
    assert current.path == "/nix/store/10"
    assert found.current("system") is None
    assert found.built["nixos"].path == "/nix/store/new"
    assert (found.absent, found.unreadable) == ({"/home/me/x y"}, {"/z"})
    assert found.lock is not None
    assert (found.lock.run, found.lock.since, found.lock.alive) == ("r", 12, True)
    (one,) = found.transactions
    assert (one.run, one.number, one.left_s) == ("r1", 3, 42)
    assert (one.word, one.reason, one.ended) == ("activated", "r1 and more", False)
    assert found.open_transaction is one
    assert found.last_transaction is None
    assert found.flakes["home"].untracked == ("a b.nix",)
    assert found.nodes["/home/me/x"].content == b"1"
    assert found.running_system == "/nix/store/now"
    assert found.needs_sudo
    assert found.expand("~/x") == "/home/me/x"
    assert found.expand("/x") == "/x"


def test_every_kind_of_node_is_told() -> None:
    members = []
    for name, kind in (
        ("/d", tarfile.DIRTYPE),
        ("/l", tarfile.SYMTYPE),
        ("/f", tarfile.FIFOTYPE),
        ("/c", tarfile.CHRTYPE),
    ):
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mode, member.uid = kind, "to", 0o4755, 7
        members.append(member)
    nodes = parse(answer(files=archive(*members))).nodes
    assert {path: node.kind for path, node in nodes.items()} == {
        "/d": Kind.DIRECTORY,
        "/l": Kind.SYMLINK,
        "/f": Kind.FIFO,
        "/c": Kind.DEVICE,
    }
    assert nodes["/l"].target == "to"
    assert (nodes["/d"].mode, nodes["/d"].owner) == (0o4755, "7")


def test_stages_in_directories_of_ours_are_leavings_and_no_files() -> None:
    stage = "/layer/lib/.x.nix.wt-20260101t000000-abcd"
    found = parse(answer(files=archive((stage, b"half"), ("/layer/.gitignore", b""))))
    assert found.leftovers == (stage,)
    assert found.nodes.keys() == {"/layer/.gitignore"}


# ---- an answer that is not whole is unknown ------------------------------------------------------


def test_an_answer_that_is_cut_after_any_line_is_unknown() -> None:
    lines = answer("mark nixos")
    assert parse(lines)
    for length in range(len(lines)):
        with pytest.raises(SnapshotError):
            parse(lines[:length])


def test_a_reading_after_a_change_has_the_machine_and_the_flakes_of_the_one_before() -> None:
    before = replace(parse(answer()), machine=("detected",))
    after = parse(answer("mark nixos", flakes=()), before)
    assert "nixos" in after.marks - before.marks
    assert (after.machine, after.flakes) == (before.machine, before.flakes) and after.flakes


def test_an_answer_without_a_fact_a_profile_or_a_flake_is_unknown() -> None:
    for missing in range(len(FACTS)):
        facts = FACTS[:missing] + FACTS[missing + 1 :]
        with pytest.raises(SnapshotError, match="lacks"):
            parse(answer(facts=facts))


@pytest.mark.parametrize(
    "line",
    [
        *("nonsense", "fact uid many", "fact uid -1", "fact uptime_s ²", "fact home relative"),
        *("generation home x current /p", "generation home 1", "flake home git"),
        *("transaction /a/b/c x no 0 kept", "transaction short 1 no 0 kept", "transaction"),
        *("transaction /a/b/c 1 no soon kept", "\x1b[2Jescape"),
    ],
)
def test_a_line_that_is_not_ours_is_unknown_and_shown_harmlessly(line: str) -> None:
    with pytest.raises(SnapshotError) as caught:
        parse(answer(line))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "packed",
    [
        "?",
        "AAAA",
        base64.b64encode(gzip.compress(b"no tar", mtime=0)).decode(),
        pytest.param(archive(("/x", b"y" * 2000))[:-40], id="cut off"),
        base64.b64encode(b"\x1f\x8b" + b"\x00" * 60).decode(),
    ],
)
def test_a_damaged_archive_is_unknown(packed: str) -> None:
    with pytest.raises(SnapshotError):
        parse(answer(files=packed))


def test_an_archive_that_unpacks_without_end_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "UNPACKED", 1 << 20)
    bomb = base64.b64encode(gzip.compress(b"\0" * (8 << 20))).decode()
    with pytest.raises(SnapshotError, match="unpacks to more than"):
        parse(answer(files=bomb))
    big = tarfile.TarInfo("/x")
    big.size = 1 << 40
    with pytest.raises(SnapshotError, match="ends within a member"):
        parse(answer(files=base64.b64encode(gzip.compress(big.tobuf())).decode()))
    linked = tarfile.TarInfo("/y")
    linked.type, linked.linkname = tarfile.LNKTYPE, "/x"
    with pytest.raises(SnapshotError, match="larger than"):
        parse(answer(files=archive(("/x", b"x" * (600 << 10)), linked)))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The answer of the real program about a lived-in workspace."""
    need("dash")
    reader = Reader(tmp_path_factory.mktemp("real"))
    reader.kwinrc.write_text("[Plugins]\ncontrastEnabled=true\n")
    reader.transaction("20260101t000000-abcd", "kept it")
    (reader.state / "lock").write_text("run r\nhost h\nuser u\npid 1\nsince 1\n")
    return reader.output()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_answer_of_a_workspace_ends_the_run_of_another(
    real: list[str], data: st.DataObject
) -> None:
    """Whatever was read: unknown, or a snapshot that a plan can be made for."""
    lines = list(real)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(("text", "text", "twice", "drop", "swap", "cut")))
        if change == "drop" and len(lines) > 1:
            del lines[at]
        elif change == "twice":
            lines.insert(at, lines[at])
        elif change == "swap":
            lines[at], lines[-1] = lines[-1], lines[at]
        elif change == "text":
            words = lines[at].split(" ")
            at_word = data.draw(st.integers(min(2, len(words) - 1), len(words) - 1))
            words[at_word] = data.draw(st.text(max_size=8) | st.sampled_from(("0", "/", "-", "~")))
            lines[at] = " ".join(words)
        else:
            lines[at] = lines[at][: data.draw(st.integers(0, 20))]
    try:
        found = parse(lines)
    except SnapshotError:
        return
    assert isinstance(found, Snapshot)
    assert plans.plan(found, selected=plans.EVERY).id
    assert layers.not_applicable(found, plans.profile()) is not None


# ---- the record of what was written --------------------------------------------------------------

WRITTEN = LastWritten(
    run="20260101t000000-abcd",
    files={"/home/me/x": "0" * 64},
    entries={"/home/me/kwinrc": {(("A", "b"), "k[$e]"): "grün"}},
    settings={
        "kwin.blur": SettingProof(
            effect="effective", run="r", boot="b", uptime_s=5, digest="d" * 16
        )
    },
    staged=True,
)


def test_a_record_survives_the_way_to_the_workspace_and_back() -> None:
    assert LastWritten.parse(WRITTEN.encode()) == WRITTEN
    assert LastWritten.parse(None) == LastWritten()
    assert LastWritten.parse(None).damaged is False


def test_a_record_torn_at_any_length_is_damaged_and_never_half_of_it() -> None:
    whole = WRITTEN.encode()
    for length in range(len(whole) - 1):
        assert LastWritten.parse(whole[:length]) == LastWritten(damaged=True)
    assert LastWritten.parse(whole[:-1]) == WRITTEN, "only the last line feed is gone"


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"null", b"[]", b"5", b'"x"', b"\x00\xff\xfe", b"[" * 100_000),
        *(b'{"version": 2}', b'{"version": 1}', b'{"version": "1", "run": "x"}'),
        b'{"version": 3, "run": 1, "files": {}, "entries": {}, "settings": {}, "staged": false}',
        b'{"version": 2, "run": 1, "files": {}, "entries": {}, "settings": {}}',
        b'{"version": 2, "run": 1, "files": {}, "entries": {}, "settings": [], "staged": false}',
        b'{"version": 2, "run": 1, "files": {}, "entries": {}, "settings": {"a": {}}, "staged": 1}',
        b'{"version": 1, "run": 1, "files": [], "entries": {}, "phases": {}}',
        b'{"version": 1, "run": 1, "files": {}, "entries": {"x": [1]}, "phases": {}}',
        b'{"version": 1, "run": 1, "files": {}, "entries": {"x": [{}]}, "phases": {}}',
    ],
)
def test_a_record_that_is_none_is_damaged(content: bytes) -> None:
    assert LastWritten.parse(content) == LastWritten(damaged=True)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_record_or_damaged(content: bytes) -> None:
    assert isinstance(LastWritten.parse(content), LastWritten)


def test_what_an_older_run_added_is_taken_out_and_what_was_written_since_stays() -> None:
    group = ("Plugins",)
    before = LastWritten(files={"/h/a": "1"}, entries={"/h/k": {(group, "x"): "true"}})
    after = LastWritten(
        files={"/h/a": "2", "/h/b": "1", "/etc/c": "1"},
        entries={"/h/k": {(group, "x"): "false", (group, "y"): "1"}, "/h/l": {(group, "z"): "1"}},
    )
    now = replace(after, files={**after.files, "/h/b": "9", "/h/d": "1"})
    parts = {"plasma+session"}
    assert now.without(after, before, parts, home="/h") == LastWritten(
        files={"/h/a": "1", "/h/b": "9", "/etc/c": "1", "/h/d": "1"},
        entries={"/h/k": {(group, "x"): "true"}},
    )
    assert now.without(after, before, {"nixos"}, home="/h") == replace(
        now, files={name: sha for name, sha in now.files.items() if name != "/etc/c"}
    )
    assert before.without(after, before, parts, home="/h") == before


def test_the_run_that_wrote_is_no_difference(tmp_path: Path) -> None:
    from dataclasses import replace

    assert WRITTEN.same(replace(WRITTEN, run="another"), proof=True)
    assert not WRITTEN.same(replace(WRITTEN, files={}), proof=False)
    assert not WRITTEN.same(replace(WRITTEN, settings={}), proof=True)
    assert not WRITTEN.same(replace(WRITTEN, staged=False), proof=True)
    found = {name: replace(one, effect="pending") for name, one in WRITTEN.settings.items()}
    assert WRITTEN.same(replace(WRITTEN, settings=found, staged=False), proof=False)
    assert not WRITTEN.same(replace(WRITTEN, settings={}), proof=False), "one is newly in force"
    assert replace(WRITTEN, settings={}).same(WRITTEN, proof=False), "nothing is"


def test_a_record_of_the_older_form_keeps_what_was_written_and_proves_nothing() -> None:
    data = json.loads(WRITTEN.encode())
    del data["settings"], data["staged"]
    old = {**data, "version": 1, "phases": {"5": {"run": "r", "boot": "b", "uptime_s": 5}}}
    found = LastWritten.parse(json.dumps(old).encode())
    assert (found.files, found.entries) == (WRITTEN.files, WRITTEN.entries)
    assert (found.settings, found.staged, found.older, found.damaged) == ({}, False, True, False)
