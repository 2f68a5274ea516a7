"""What a wait for a change starts, a pause for each look and nothing else, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tasks.reach.remote import program
from tests import sshd
from tests.remote.reading import BOOT, start_time
from tests.remote.recording import Workspace, record, run_id
from tests.remote.test_read_starts import counted, traced
from tests.tools import need


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


AT_THE_BEGIN_AND_END = 24  # processes, whatever the wait lasts


def test_each_look_of_a_wait_starts_the_pause_alone(tmp_path: Path) -> None:
    transaction, log = tmp_path / "transaction", tmp_path / "log"
    transaction.mkdir()
    (transaction / "status").write_text("activating 20261101t000000-aaaa\n")
    (transaction / "process").write_text(f"{os.getpid()} {start_time(os.getpid())} {BOOT}\n")
    done = subprocess.run(
        [
            *traced(log),
            *(need("dash"), "-c", program("transact"), "workspace-transact"),
            *("wait", str(transaction), "2"),
        ],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "status activating" in done.stdout
    programs, processes = counted(log.read_text())
    assert programs["sleep"] >= 3, "it looked several times"
    assert processes - programs["sleep"] <= AT_THE_BEGIN_AND_END, (programs, processes)


def test_a_change_whose_starter_was_stopped_before_its_process_began_is_gone(
    workspace: Workspace,
) -> None:
    """It was waited for half an hour: the status stood, and no process would ever change it."""
    place = workspace.place(run_id(1))
    place.mkdir(parents=True)
    (place / "status").write_text(f"activating {run_id(1)}\n")
    assert workspace.transact("wait", run_id(1), "20") == "gone activating \n"


def test_who_interrupts_a_begun_change_at_a_terminal_stops_its_starter_no_more(
    workspace: Workspace,
) -> None:
    text = program("transact").replace("if manager=$(unit_manager)", "sleep 1; if false")
    starter = subprocess.Popen(
        [need("dash"), "-c", text, "transact", "start", str(workspace.place(run_id(1)))],
        env={"HOME": str(workspace.home), "PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert starter.stdin is not None
    plan = workspace.plan(run_id(1), 1, deadline=60)
    starter.stdin.write(workspace.payload(plan, {"one.conf": b"1\n"}, record(run_id(1))))
    starter.stdin.close()
    status = workspace.place(run_id(1)) / "status"
    sshd.wait_for(lambda: status.exists(), "the begin of the change")
    os.killpg(starter.pid, signal.SIGINT)
    assert starter.wait(30) == 0
    assert "status activated" in workspace.transact("wait", run_id(1), "20")
    assert "status undone" in workspace.transact("decide", run_id(1), "undo")
