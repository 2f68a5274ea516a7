"""What a wait for a change starts: a pause for each look, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tasks.reach.remote import program
from tests.remote.reading import BOOT, start_time
from tests.remote.test_read_starts import counted, traced
from tests.tools import need

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
