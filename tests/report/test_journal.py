"""The journal is on disk before the next step, in whole lines, and readable after any end."""

from __future__ import annotations

import json
import os
import pwd
import re
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import workspace_start
from converge.journal import journal
from converge.journal.kinds import (
    ProblemRecord,
    RunEndRecord,
    RunStartRecord,
    SnapshotRecord,
    StepRecord,
    VerdictRecord,
)
from converge.text import redact
from tasks.run.journal import KEPT, Journal, JournalError, new_run_id, private
from tasks.run.run import Run
from tests.conftest import PROJECT
from tests.tools import missing

RUN = "20260101t000000-abcd"
START = RunStartRecord(version="0", task="deploy", mode="run", workspaces=("w",))
STEP = StepRecord(step="zwölf\nBoxkämpfer", status="done", why="")
PROBLEM = ProblemRecord(text="x")
VERDICT = VerdictRecord(
    fact="cpu.threads", outcome="true", declared="8", found="8", why="", fix="", settings=()
)
END = RunEndRecord(outcome="failed", exit=1, journal="/j")
RECORDS = (START, STEP, PROBLEM, END)


@pytest.fixture
def made(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "runs", RUN)


def test_a_record_is_on_disk_before_anybody_is_told(made: Journal) -> None:
    seen: list[int] = []
    made.listeners.append(lambda record: seen.append(len(journal.read(made.path))))
    for record in RECORDS:
        made.append(record, workspace="w")
    assert seen == [1, 2, 3, 4]


def test_the_verdicts_of_a_workspace_are_one_write_and_no_sync(
    made: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, synced, told = [], [], []
    write, sync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda fd, text: (written.append(fd), write(fd, text))[1])
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), sync(fd))[1])
    made.listeners.append(lambda line: told.append(line.seq))
    made.extend([VERDICT] * 30, workspace="w")
    assert (len(written), synced, told) == (1, [], list(range(1, 31)))
    made.extend([VERDICT, PROBLEM, VERDICT], workspace="w")
    assert (len(written), len(synced)) == (2, 1)
    assert tuple(made.lines) == journal.read(made.path)


def test_it_is_its_owners_alone(made: Journal) -> None:
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o700


def test_two_runs_never_share_a_journal(made: Journal) -> None:
    made.append(START)
    with pytest.raises(JournalError, match="File exists"):
        Journal(made.path.parent.parent, RUN)
    assert len(journal.read(made.path)) == 1


def test_a_run_whose_id_is_taken_gets_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one, other = (Run({"dry": True, "diff": False, "yes": True, "operations": ["a"]}) for _ in "12")
    other.id = one.id
    for run in (one, other):
        run.start()
    assert one.journal and other.journal and one.journal.path != other.journal.path
    assert other.journal.path.parent.name == other.journal.run == other.id


def test_torn_at_every_length_it_gives_the_records_before(made: Journal) -> None:
    records = [made.append(record, workspace="w") for record in RECORDS]
    whole = made.path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 0x0A]
    torn = made.path.with_name("torn")
    for length in range(len(whole) + 1):
        torn.write_bytes(whole[:length])
        assert list(journal.read(torn)) == records[: sum(end <= length for end in ends)]


@given(st.dictionaries(st.text(min_size=1), st.text()))
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_comes_back_as_it_was(made: Journal, facts: dict[str, str]) -> None:
    """A file name that is not UTF-8, which arrives as lone surrogates, comes back too."""
    marks = (os.fsdecode(b"caf\xe9"),)
    made.append(SnapshotRecord(facts=facts, marks=marks), workspace="w")
    record = journal.read(made.path)[-1].record
    assert isinstance(record, SnapshotRecord)
    assert record.facts == redact.record(facts)
    assert os.fsencode(record.marks[0]) == b"caf\xe9"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.getuid() != 0:
        missing("only root can mount a small disk: run as root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "none", str(disk)], check=True
    )
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_record_for_which_there_is_no_room_leaves_nothing_of_itself(small_disk: Path) -> None:
    made = Journal(small_disk, RUN)
    made.append(START)
    told: list[journal.Line] = []
    made.listeners.append(told.append)
    with pytest.raises(JournalError, match="No space left on device"):
        made.append(ProblemRecord(text="x" * 100_000))
    assert told == []
    made.append(END)  # a short one still has room, and is readable
    records = journal.read(made.path)
    assert [(record.kind, record.seq) for record in records] == [
        ("run-start", 1),
        ("run-end", 2),
    ]


def test_a_signal_during_the_sync_gives_no_number_twice(
    made: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.append(START)
    sync = os.fsync

    def interrupted(descriptor: int) -> None:
        sync(descriptor)
        raise SystemExit(130)

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(SystemExit):
        made.append(STEP)
    monkeypatch.setattr(os, "fsync", sync)
    made.append(END)
    assert [record.seq for record in journal.read(made.path)] == [1, 2, 3]


def test_what_a_look_finds_is_on_the_disk_before_the_next_step_with_one_sync(
    made: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(len(made.lines)))
    made.append(START)
    for _ in range(24):
        made.append(VERDICT)
    assert synced == []
    made.append(STEP)
    assert synced == [26]
    made.append(END)
    assert synced == [26, 27]


@pytest.mark.parametrize("place", ["a file stands there", "nothing can be made there"])
def test_a_journal_that_cannot_be_begun_says_so(tmp_path: Path, place: str) -> None:
    runs = tmp_path / "runs"
    if place == "a file stands there":
        runs.write_text("")
    else:
        runs = Path("/proc/no-directory-is-made-here")
    with pytest.raises(JournalError, match=re.escape(str(runs))):
        Journal(runs, RUN)


def test_run_ids_sort_by_time_and_differ_at_the_same_time() -> None:
    def clock(seconds: float) -> Callable[[], float]:
        return lambda: seconds

    ids = [new_run_id(clock(1_700_000_000 + day * 86_400.5)) for day in range(3)]
    assert ids == sorted(ids)
    assert all(re.fullmatch(r"[0-9]{8}t[0-9]{6}-[0-9a-f]{4}", one) for one in ids)
    assert len({new_run_id(clock(0)) for _ in range(20)}) > 1


def test_the_state_of_the_controller_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert journal.controller_state() == Path("/somewhere/workspace-tuning/controller")
    monkeypatch.setenv("XDG_STATE_HOME", "")
    assert journal.controller_state() == Path.home() / ".local/state/workspace-tuning/controller"
    for relative in ("state", "./state", "../state", "", "~"):
        monkeypatch.setenv("XDG_STATE_HOME", relative)
        assert journal.controller_state().is_relative_to(Path.home() / ".local/state"), relative
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    for relative in ("home", ""):
        monkeypatch.setenv("HOME", relative)
        assert journal.controller_state().is_relative_to(home / ".local/state"), relative
        workspace_start._find_home()
        assert os.environ["HOME"] == str(home), "and so for all else that a run looks for there"


@pytest.mark.parametrize("line", [b"\xff\x00 not JSON", b"5", b"null", b"[" * 100_000])
def test_a_line_that_is_no_record_ends_the_reading(made: Journal, line: bytes) -> None:
    made.append(START)
    made.append(STEP)
    lines = made.path.read_bytes().splitlines(keepends=True)
    made.path.write_bytes(lines[0] + line + b"\n" + lines[1])
    (record,) = journal.read(made.path)
    assert json.loads(lines[0]) == record.fields()


# -- directories -------------------------------------------------------------------------------


def test_the_controller_keeps_the_newest_five_hundred_runs_and_touches_nothing_else(
    tmp_path: Path,
) -> None:
    runs = tmp_path / "runs"
    names = [new_run_id(lambda day=day: 1_700_000_000 + day * 86_400.0) for day in range(520)]
    for name in names:
        (runs / name).mkdir(parents=True)
        (runs / name / "journal.jsonl").write_text("{}\n")
    (runs / names[0] / "a note of mine").write_text("kept")
    (runs / "not-a-run").mkdir()
    (runs / names[1] / "journal.jsonl").unlink()
    (runs / names[1]).rmdir()
    (runs / names[1]).symlink_to(runs / "not-a-run")
    Journal(runs, new_run_id())
    left = {path.name for path in runs.iterdir()}
    assert names[0] in left and names[1] in left and "not-a-run" in left
    assert left & set(names[2:]) == set(names[-499:])
    assert f"newest {KEPT}" in (PROJECT / "docs/how-it-works.md").read_text()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_s11_records_on_the_controller_are_their_owners_alone_in_every_umask(
    tmp_path: Path, umask: int
) -> None:
    place = tmp_path / "new/state/workspace-tuning/controller"
    before = os.umask(umask)
    try:
        made = Journal(place / "runs", "20260101t000000-abcd")
        made.append(PROBLEM)
        private(place / "plans")
    finally:
        os.umask(before)
    for path in (tmp_path / "new").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["runs", "controller", "workspace-tuning"])
def test_s11_a_directory_that_others_may_write_is_refused_by_name(
    tmp_path: Path, name: str
) -> None:
    place = tmp_path / "workspace-tuning/controller/runs"
    place.mkdir(parents=True)
    (open_to_all,) = [one for one in (place, *place.parents) if one.name == name]
    open_to_all.chmod(0o777)
    with pytest.raises(JournalError, match=f"others can write to {open_to_all}: chmod go-w"):
        Journal(place, "20260101t000000-abcd")
    open_to_all.chmod(0o755)
    Journal(place, "20260101t000000-abcd")
