"""An interrupted rollback goes on to its end on the workspace, and its status is true."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Box, Cli
from tests.remote.faults import Guard, transaction, until
from tests.remote.test_undo import ALL, applied, before, box, look, said

__all__ = ["applied", "before", "box"]


def appears(place: Path, pattern: str) -> None:
    end = time.monotonic() + 120
    while not list(place.glob(pattern)):
        assert time.monotonic() < end, f"{place}/{pattern} never came"
        time.sleep(0.02)


@pytest.mark.parametrize("at_terminal", [True, False], ids=["terminal", "controller"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_rollback_that_is_interrupted_is_whole_and_its_state_true(
    cli: Cli,
    applied: Box,
    before: dict[str, tuple[bytes, int]],
    number: signal.Signals,
    at_terminal: bool,
) -> None:
    """At a terminal every program of the foreground gets the signal, not only the controller. The
    undo is held up by KDE's lock until then."""
    guard = Guard(cli, applied, chezmoi=False)
    lock = applied.config("kwinrc.lock")
    name = Path("/proc/self/exe").resolve().name
    lock.write_text(f"{os.getpid()}\n{name}\n{os.uname().nodename}\n")
    process = cli.start(applied.inventory, "tasks/rollback.py", "-vy", *ALL, own_group=True)
    until(process, "roll back: started")
    appears(lock.parent, ".kwinrc.wt-*-undo")
    if at_terminal:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    lock.unlink()
    run = cli.end(process)
    assert run.code == 130, run.out + run.err
    assert f"{number.name}: waiting for the running step" in run.out
    assert "Traceback" not in run.err
    assert (transaction(applied) / "status").read_text().startswith("undone rolled back")
    assert look(applied) == before
    assert not guard.locked()
    again = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert "nothing left to roll back" in said(again)
    assert cli(applied.inventory, "deploy.py", "-y").code == 0


@pytest.mark.parametrize("status", ["broken x", "garbled \0", "kept x"])
def test_a_change_whose_process_is_there_has_not_ended_whatever_its_status_says(
    cli: Cli, applied: Box, status: str
) -> None:
    start = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    place = transaction(applied)
    (place / "process").write_text(f"{os.getpid()} {start} {boot}\n")
    (place / "status").write_text(f"{status}\n")
    for task in ("deploy.py", "tasks/remove.py"):
        run = cli(applied.inventory, task, "-y")
        assert run.code == 7, run.out
        assert place.parent.name in said(run)
    assert (place / "status").read_text() == f"{status}\n"
