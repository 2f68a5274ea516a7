"""The record of a change: what is kept, whose it is, and a fault while it is written."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.reach.payload import squeezed
from tests.remote.recording import Workspace, record, run_id
from tests.tools import missing, need


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    need("dash")
    return Workspace(tmp_path)


def names(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in (workspace.state / "runs").iterdir())


# ---- U15: by number, never by a clock ------------------------------------------------------------


def old(runs: Path, run: str, number: int | None, *, user: str = "root") -> Path:
    """A kept change of which only the record is there."""
    place = runs / run / "transaction"
    place.mkdir(parents=True)
    (place / "status").write_text(f"kept {run}\n")
    line = "" if number is None else f"number {number}\n"
    (place / "plan").write_text(f"run {run}\n{line}user {user}\nlive {place.parent}/live-1 user\n")
    return place


def test_u15_a_run_whose_clock_is_behind_keeps_its_own_record_and_the_oldest_goes(
    workspace: Workspace,
) -> None:
    runs = workspace.state / "runs"
    for number in range(1, 12):
        old(runs, run_id(10 + number), number)
    assert "status kept" in workspace.change(run_id(1), 12, b"new\n")
    assert names(workspace) == sorted([run_id(1), *(run_id(10 + n) for n in range(3, 12))])
    assert workspace.read().transactions[-1].run == run_id(1)
    assert workspace.script().returncode == 0
    assert not workspace.file().exists(), "the newest by number was undone"


def test_u15_a_record_whose_number_cannot_be_read_is_never_removed(workspace: Workspace) -> None:
    runs = workspace.state / "runs"
    for number in range(1, 15):
        old(runs, run_id(number), number)
    for run, number in (("20200101t000000-aaaa", None), ("20200102t000000-aaaa", 1)):
        place = old(runs, run, number)
        if number:
            (place / "plan").unlink()
            (place / "plan").mkdir()
    (runs / "not-a-run").mkdir()
    (runs / "20200103t000000-aaaa/lock").mkdir(parents=True)  # a run that never changed anything
    for run, place in (("20200104t000000-aaaa", "layer"), ("20200105t000000-aaaa", "proof")):
        (runs / run / place / "before").mkdir(parents=True)
        (runs / run / place / "before/1").write_text("what was there before")
    workspace.call("transact", "prune", str(runs), check=True)
    left = names(workspace)
    assert left == sorted(
        ["not-a-run", *(f"2020010{day}t000000-aaaa" for day in (1, 2, 4))]
        + [run_id(number) for number in range(5, 15)]
    )


# ---- U13: two users of one machine ---------------------------------------------------------------


def test_u13_pruning_for_one_user_leaves_the_records_of_another(tmp_path: Path) -> None:
    """Root once kept the records of all users in one place; now each user has one."""
    workspace = Workspace(tmp_path)
    runs = tmp_path / "var/lib/workspace-tuning/runs"
    for number in range(1, 13):
        old(runs, run_id(number), number, user="alice")
    theirs = [old(runs, f"202510{n:02d}t000000-bbbb", n, user="bob") for n in range(1, 13)]
    newest = runs / run_id(12) / "transaction"
    workspace.call("transact", "prune", str(newest), str(runs), check=True)
    assert all(place.is_dir() for place in theirs)
    left = sorted(path.name for path in runs.iterdir() if path.name.endswith("abcd"))
    assert left == [run_id(number) for number in range(3, 13)]


def test_u13_a_rollback_takes_and_shows_only_the_users_own_runs(workspace: Workspace) -> None:
    assert "status kept" in workspace.change(run_id(1), 1, b"mine\n")
    shared = workspace.root / "var/lib/workspace-tuning/runs"
    theirs = old(shared, run_id(2), 9, user="somebody")
    old(shared / "somebody", run_id(3), 10, user="somebody")
    assert [transaction.run for transaction in workspace.read().transactions] == [run_id(1)]
    listed = workspace.script("--list").stdout
    assert run_id(1) in listed and run_id(2) not in listed and run_id(3) not in listed
    assert workspace.script(run_id(2)).returncode == 1
    assert workspace.script().returncode == 0
    assert (theirs / "status").read_text().startswith("kept")
    assert "nothing left to roll back" in workspace.script().stdout


# ---- U17, U21: what cannot be written is said, and nothing is lost by it -------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace whose state directory is a file system of its own, which can be filled."""
    if os.getuid() != 0:
        missing("mounting needs root: run the tests as root")
    workspace = Workspace(tmp_path)
    workspace.state.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", "size=900k,mode=700", "none", str(workspace.state)]
    subprocess.run(["mount", *options], check=True)
    try:
        yield workspace
    finally:
        subprocess.run(["umount", "-l", str(workspace.state)], check=True)


def fill(workspace: Workspace) -> Path:
    filler = workspace.state / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"x" * 4096)
        except OSError:
            return filler


def test_u17_a_disk_that_fills_up_before_the_record_is_kept_undoes_the_change_and_loses_no_record(
    small: Workspace,
) -> None:
    assert "status kept" in small.change(run_id(1), 1, b"first\n")
    held = small.written.read_bytes()
    assert "status activated" in small.begin(run_id(2), 2, {"one.conf": b"second\n"})
    filler = fill(small)
    said = small.transact("decide", run_id(2), "confirm")
    # The word itself needs room: either it is refused as that, or the change is undone as that.
    assert "No space left on device" in said and str(small.state) in said
    filler.unlink()
    small.transact("decide", run_id(2), "undo")
    assert small.written.read_bytes() == held
    assert small.file().read_bytes() == b"first\n"


def test_u17_a_change_that_ended_for_want_of_room_says_so(small: Workspace) -> None:
    place = small.place(run_id(1))
    place.mkdir(parents=True)
    (place / "status").write_text(f"activating {run_id(1)}\n")
    fill(small)
    said = small.transact("wait", run_id(1), "20")
    assert said.startswith("gone activating ") and "No space left on device" in said


def test_u17_a_full_disk_is_said_as_one_before_anything_is_begun(small: Workspace) -> None:
    small.file().write_bytes(b"old\n")
    fill(small)
    said = small.begin(run_id(1), 1, {"one.conf": b"new\n"})
    assert said.startswith("failed ") and "No space left on device" in said
    assert str(small.state) in said
    assert small.file().read_bytes() == b"old\n"


def test_u17_an_empty_or_odd_record_is_not_taken_for_none(workspace: Workspace) -> None:
    workspace.state.mkdir(parents=True)
    workspace.written.mkdir()
    workspace.file().write_bytes(b"old\n")
    assert "status activated" in workspace.begin(run_id(1), 1, {"one.conf": b"new\n"})
    said = workspace.transact("decide", run_id(1), "confirm")
    assert "status undone not kept" in said and "is not a regular file" in said
    assert workspace.file().read_bytes() == b"old\n"
    assert workspace.written.is_dir()


def without_links(workspace: Workspace, *, symbolic: bool = True) -> None:
    """As on a file system that has no hard links."""
    tools = workspace.root / "tools"
    tools.mkdir()
    real = need("ln")
    keep = (
        'for one in "$@"; do case $one in -s*) exec REAL "$@" ;; esac; done\n' if symbolic else ""
    )
    (tools / "ln").write_text(
        f"#!/bin/sh\n{keep.replace('REAL', real)}echo 'ln: Operation not permitted' >&2\nexit 1\n"
    )
    (tools / "ln").chmod(0o755)
    workspace.environment["PATH"] = f"{tools}:{os.environ['PATH']}"


def test_u21_a_file_system_without_hard_links_takes_the_lock_and_the_decision(
    workspace: Workspace,
) -> None:
    without_links(workspace)
    assert "status kept" in workspace.change(run_id(1), 1, b"new\n")
    assert "status kept" in workspace.transact("decide", run_id(1), "undo"), "the first word stands"
    held = take_lock(workspace, run_id(2), "keep")
    assert held.stdout.endswith("done\n"), held.stdout
    other = take_lock(workspace, run_id(3), "keep")
    assert other.returncode == 71
    assert f"lock run {run_id(2)}" in other.stdout


def take_lock(workspace: Workspace, run: str, keep: str) -> subprocess.CompletedProcess[str]:
    from tasks.reach.payload import pack

    words = (str(workspace.state / f"runs/{run}/lock"), str(workspace.state / "lock"))
    controller = f"here me {os.getpid()} 1"
    stdin = pack((), home=str(workspace.home)).encode()
    return workspace.call("write", run, *words, controller, keep, stdin=stdin)


def test_u21_a_lock_that_cannot_be_written_names_the_path_and_the_reason(small: Workspace) -> None:
    fill(small)
    said = take_lock(small, run_id(1), "keep")
    assert said.returncode == 70
    assert "No space left on device" in said.stdout and str(small.state) in said.stdout
    assert "locked" not in said.stdout


def test_u20_a_lock_of_a_process_that_is_gone_is_given_back_and_of_one_that_lives_is_not(
    workspace: Workspace,
) -> None:
    lock = workspace.state / "lock"
    held = take_lock(workspace, run_id(1), "keep")
    assert held.returncode == 0 and lock.exists()
    workspace.call("release", run_id(1), str(lock), "dead", check=True)
    assert lock.exists(), "its session is this test, which lives"
    workspace.call("release", run_id(2), str(lock), check=True)
    assert lock.exists(), "it is another run's"
    text = lock.read_text().splitlines()
    gone = ["start 1" if line.startswith("start ") else line for line in text]
    lock.write_text("\n".join(gone) + "\n")
    workspace.call("release", run_id(2), str(lock), "dead", check=True)
    assert lock.exists(), "another run took it meanwhile"
    workspace.call("release", run_id(1), str(lock), "dead", check=True)
    assert not lock.exists()


@pytest.mark.parametrize("program", ["take", "write"])
def test_a_run_whose_connection_is_gone_makes_its_lock_anew_on_the_next(
    workspace: Workspace, program: str
) -> None:
    lock = workspace.state / "lock"
    assert take_lock(workspace, run_id(1), "keep").returncode == 0
    whole = lock.read_text()
    lock.write_text(re.sub("(?m)^start .*", "start 1", whole))
    if program == "write":
        again = take_lock(workspace, run_id(1), "keep")
    else:
        again = workspace.call("take", run_id(1), str(lock), f"here me {os.getpid()} 1")
    assert again.stdout == "done\n"
    assert lock.read_text() == whole
    assert take_lock(workspace, run_id(2), "keep").returncode == 71


@pytest.mark.parametrize("case", ["kept", "undone", "on trial", "another run's"])
def test_the_lock_of_a_run_goes_with_the_word_kept_and_with_no_other(
    workspace: Workspace, case: str
) -> None:
    lock, run = workspace.state / "lock", run_id(1)
    assert (
        take_lock(workspace, run_id(2) if case == "another run's" else run, "keep").returncode == 0
    )
    assert "status activated" in workspace.begin(run, 1, {"one.conf": b"1\n"})
    if case == "on trial":
        (workspace.place(run).parent / "trial").mkdir()
        (workspace.place(run).parent / "trial/state").write_text("booting it\n")
    word = "undo" if case == "undone" else "confirm"
    text = record(run)
    sent = hashlib.sha256(text).hexdigest(), str(lock)
    said = workspace.transact("decide", run, word, *sent, stdin=squeezed(text).encode())
    assert ("released" in said.splitlines()) is (case == "kept")
    assert lock.exists() is (case != "kept")
    assert f"status {'undone' if case == 'undone' else 'kept'}" in said


# ---- S3: what lies in the home is a file, or is refused ------------------------------------------


@pytest.mark.parametrize("trick", ["fifo", "link"])
def test_s3_a_fifo_or_a_link_in_place_of_the_record_neither_hangs_nor_leaks(
    workspace: Workspace, trick: str
) -> None:
    secret = workspace.root / "secret"
    secret.write_text("only for root\n")
    assert "status activated" in workspace.begin(run_id(1), 1, {"one.conf": b"new\n"})
    if trick == "fifo":
        os.mkfifo(workspace.written)
    else:
        workspace.written.symlink_to(secret)
    begun = time.monotonic()
    said = workspace.transact("decide", run_id(1), "confirm")
    assert time.monotonic() - begun < 30
    assert "status undone not kept" in said and "is not a regular file" in said
    kept = [path for path in workspace.state.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in kept if b"only for root" in path.read_bytes()]


# ---- S11: for the owner alone --------------------------------------------------------------------


def test_s11_every_record_is_for_its_owner_alone_in_every_umask(workspace: Workspace) -> None:
    before = os.umask(0)
    try:
        assert "status kept" in workspace.change(run_id(1), 1, b"new\n")
    finally:
        os.umask(before)
    for path in (workspace.state, *workspace.state.rglob("*")):
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_s11_a_state_directory_that_others_may_write_is_refused_by_name(
    workspace: Workspace, mode: int
) -> None:
    workspace.state.mkdir(parents=True)
    workspace.state.chmod(mode)
    said = workspace.begin(run_id(1), 1, {"one.conf": b"new\n"})
    assert said.startswith(f"failed {workspace.state}: can be written by others; look through it")
    assert not workspace.file().exists()
    lock = take_lock(workspace, run_id(2), "keep")
    assert lock.returncode == 70 and f"{workspace.state}: can be written by others" in lock.stdout


def test_s11_a_state_directory_of_another_user_is_refused_by_name(workspace: Workspace) -> None:
    if os.getuid() != 0:
        missing("giving files away needs root: run the tests as root")
    workspace.state.mkdir(parents=True)
    os.chown(workspace.state, 65534, 65534)
    said = workspace.begin(run_id(1), 1, {"one.conf": b"new\n"})
    assert said.startswith(f"failed {workspace.state}: belongs to another user")


# ---- what was written, with what was undone ------------------------------------------------------


def test_a_whole_undo_brings_the_record_of_the_run_before_back(workspace: Workspace) -> None:
    workspace.change(run_id(1), 1, b"first\n")
    first = workspace.written.read_bytes()
    assert first == record(run_id(1))
    workspace.change(run_id(2), 2, b"second\n")
    assert "status undone" in workspace.transact("undo", run_id(2))
    assert workspace.written.read_bytes() == first
    assert "status undone" in workspace.transact("undo", run_id(1))
    assert not workspace.written.exists()


def test_the_undo_of_an_older_run_leaves_the_record_of_the_later_one(workspace: Workspace) -> None:
    workspace.change(run_id(1), 1, b"first\n")
    workspace.change(run_id(2), 2, b"second\n")
    workspace.transact("undo", run_id(1))
    assert workspace.written.read_bytes() == record(run_id(2))
    workspace.transact("undo", run_id(2))
    assert workspace.written.read_bytes() == record(run_id(1))
