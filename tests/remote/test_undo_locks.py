"""An undo wants a lock that KDE, chezmoi, a run or another undo holds: it is broken and
repeatable, or it waits for its turn."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import sshd
from tests.remote.test_undo_damage import RUN, Recorded, anew, origin

__all__ = ["origin"]

Origin = tuple[Recorded, dict[str, object]]


def holder() -> tuple[str, str]:
    """This process as a lock names it: its executable, its start."""
    start = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    return Path("/proc/self/exe").resolve().name, start


@contextlib.contextmanager
def of_kde(one: Recorded) -> Iterator[None]:
    lock = one.file("kwinrc.lock")
    lock.write_text(f"{os.getpid()}\n{holder()[0]}\n{os.uname().nodename}\n")
    late = time.time() + 25  # a machine under load may take longer than a lock's 30 seconds
    os.utime(lock, (late, late))
    yield
    lock.unlink()


@contextlib.contextmanager
def a_pipe(one: Recorded) -> Iterator[None]:
    """A pipe in the place of KDE's lock: it names nobody, and a reader would wait for ever."""
    os.mkfifo(one.file("kwinrc.lock"))
    yield
    one.file("kwinrc.lock").unlink()


@contextlib.contextmanager
def of_chezmoi(one: Recorded) -> Iterator[None]:
    with one.file("chezmoi/chezmoistate.boltdb").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


LOCKS: dict[str, tuple[Callable[[Recorded], contextlib.AbstractContextManager[None]], str]] = {
    "KDE's": (of_kde, "KConfig's lock is held by process"),
    "a pipe": (a_pipe, "kwinrc.lock names no process"),
    "chezmoi's": (of_chezmoi, "what chezmoi remembers of it could not be asked"),
}


@pytest.mark.parametrize("lock", LOCKS)
def test_u14_a_lock_that_is_held_makes_an_undo_broken_and_repeatable(
    origin: Origin, lock: str
) -> None:
    workspace, before = origin
    anew(workspace)
    hold, says = LOCKS[lock]
    with hold(workspace):
        back = workspace.script()
    assert back.returncode == 4, back.stdout + back.stderr
    assert back.stdout.startswith("status broken") and says in back.stdout, back.stdout
    assert not workspace.file("made.d").exists(), "the other files do not wait"
    again = workspace.script()
    assert again.returncode == 0, again.stdout + again.stderr
    assert workspace.look() == before


def test_while_a_run_holds_the_workspace_nothing_is_undone(origin: Origin) -> None:
    workspace, before = origin
    anew(workspace)
    kept = workspace.look()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    lock = workspace.state / "lock"
    lock.write_text(f"run x\nanchor {os.getpid()}\nstart {holder()[1]}\nboot {boot}\n")
    back = workspace.script()
    assert back.returncode == 7 and "nothing was undone" in back.stdout
    assert workspace.look() == kept
    lock.unlink()
    assert workspace.script().returncode == 0
    assert workspace.look() == before


def test_an_undo_beside_another_one_waits_and_ends_as_that_does(origin: Origin) -> None:
    workspace, before = origin
    anew(workspace)
    status = workspace.place(RUN) / "status"
    with of_kde(workspace):
        environment = {**os.environ, "HOME": str(workspace.home), "ROOT": str(workspace.root)}
        first = subprocess.Popen(
            ["sh", str(workspace.state / "rollback")],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        sshd.wait_for(lambda: status.read_text().startswith("undoing"), "the first undo")
        (one,) = workspace.read().transactions
        assert one.alive, "a run that comes now finds it at work"
        second = workspace.transact("undo", RUN)
    said, _ = first.communicate(timeout=60)
    assert said.startswith("status broken") and said in second, (said, second)
    assert workspace.script().returncode == 0
    assert workspace.look() == before


def test_two_undos_that_begin_at_once_are_whole_and_leave_no_staged_file(origin: Origin) -> None:
    workspace, before = origin
    environment = {**os.environ, "HOME": str(workspace.home), "ROOT": str(workspace.root)}
    for _ in range(4):
        anew(workspace)
        both = [
            subprocess.Popen(
                ["sh", str(workspace.state / "rollback")],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        said = [(one.communicate(timeout=60)[0], one.returncode) for one in both]
        assert said == [("status undone rolled back\n", 0)] * 2
        assert not list(workspace.root.rglob("*.wt-*"))
        assert workspace.look() == before
