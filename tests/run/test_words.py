"""Each command, driven to its ends: the last line, the code, the journal, the report and JUnit have
one word, and what a person reads fits."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Box, Cli
from tests.tools import need


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-", ">/dev/full"])
def test_a_run_without_its_streams_does_and_records_all_the_same(
    cli: Cli, desktop: Box, closed: str
) -> None:
    ended = cli(
        desktop.inventory, "deploy.py", "-y", under=("sh", "-c", f'exec "$@" {closed}', "sh")
    )
    assert ended.code == 0, ended.out + ended.err
    assert ended.journal[-1]["outcome"] == "applied, some pending"
    assert "Traceback" not in ended.out + ended.err
    full = "output is not complete: No space left on device\n" * (closed == ">/dev/full")
    assert full in ended.err and "output is not complete" not in ended.err.replace(full, ""), closed
    again = cli(desktop.inventory, "deploy.py", "--dry")
    assert again.code == 0, again.out


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 2.5, 4.0])
def test_ctrl_c_from_the_first_line_on_ends_in_130(cli: Cli, desktop: Box, moment: float) -> None:
    """``moment``: seconds after the process began to answer signals by itself."""
    # Under a program, since an interpreter of its own is what is interrupted.
    process = cli.start(desktop.inventory, "deploy.py", "--dry", under=("env",), own_group=True)
    status = Path(f"/proc/{process.pid}/status")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:  # Python catches SIGINT by itself, SIGTERM only for us
        caught = next((x for x in status.read_text().splitlines() if x.startswith("SigCgt")), "0")
        if int(caught.split()[-1], 16) & 1 << (signal.SIGTERM - 1):
            break
        time.sleep(0.005)
    with contextlib.suppress(Exception):
        process.wait(timeout=moment)
    over = process.poll() is not None
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGINT)
    ended = cli.end(process)
    assert "Exiting upon user request" not in ended.out + ended.err
    if over or "changes found (exit 2)" in ended.out:  # it had said its result
        assert ended.code == 2
        return
    assert ended.code == 130, ended.out + ended.err
    assert "interrupted (exit 130)" in ended.out


def test_what_a_person_reads_of_the_whole_sandbox_is_short(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    """Lines in all, also those of pyinfra: a dry run 50, the first run 60, nothing to do 8."""
    need("nix")
    need("chezmoi")
    box = make_box()

    def lines(*arguments: str) -> tuple[int, str]:
        ended = cli(box.inventory, *arguments)
        text = ended.out + ended.err
        for line in text.splitlines():
            words = line.split()
            command = "--data" in words or "journal" in words or "warning:" in words
            assert len(line) <= 80 or command or len(words) <= 2, line
        assert "..." not in text and "-->" not in text and "may not include" not in text
        return len(text.splitlines()), text

    number, text = lines("deploy.py", "--dry")
    assert number <= 50, text
    assert "--data accept=libraries.overlay.system" in text
    assert "has no effect on the result" not in text, "what is withheld is for why and -v"
    number, text = lines("deploy.py", "-y")
    assert number <= 60, text
    assert "started" not in text and text.count("prove (") == 1
    number, text = lines("deploy.py", "-y")
    assert number <= 8, text
    assert "nothing to change (" in text
