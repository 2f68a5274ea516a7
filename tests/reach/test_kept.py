"""A program that the workspace keeps is run from there; every other text is sent, and never run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tasks.reach import remote
from tests.run.steps import make, words_of
from tests.tools import need

__all__ = ["make"]  # the fixture


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The copy of a program in a transaction."""
    file = tmp_path / "transact.sh"
    file.write_text(remote.program("transact"))
    (tmp_path / "status").write_text("kept it\n")
    return file


def run(copy: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    given = remote.kept("transact", str(copy), ["word", str(copy.parent)])
    command = words_of(given)
    command[0] = need("dash")
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_a_program_that_the_workspace_keeps_is_run_there(copy: Path) -> None:
    assert len(remote.kept("transact", str(copy), ["word"]).get_raw_value()) < 1000
    done = run(copy)
    assert (done.stdout, done.stderr) == ("kept\n", "")


@pytest.mark.parametrize("damage", ["gone", "cut", "another", "a pipe", "a directory"])
def test_any_other_text_is_not_run_and_nobody_waits_for_it(copy: Path, damage: str) -> None:
    text = copy.read_text()
    copy.unlink()
    match damage:
        case "cut":
            copy.write_text(text[:-20])
        case "another":
            copy.write_text(f"echo run >'{copy.parent}/run'\n{text}")
        case "a pipe":
            os.mkfifo(copy)
        case "a directory":
            copy.mkdir()
    done = run(copy, stdin="x" * 1_000_000)  # read whole: the sender is not cut off
    assert done.stdout == "lacking\n"
    assert not (copy.parent / "run").exists()


def test_the_program_is_sent_where_the_workspace_lacks_it(make: Any) -> None:
    work = make(("a greeting of the login", "lacking"), ("status kept r",))
    place = "/s/runs/r/transaction"
    options: dict[str, Any] = {"copy": f"{place}/transact.sh", "stdin": "the record"}
    assert work.remote("transact", "decide", place, **options).of("status") == ("kept r",)
    first, second = work.host.commands
    assert work.host.words(0) == work.host.words(1) == ["workspace-transact", "decide", place]
    assert len(str(first[0])) < 1000 < len(str(second[0]))
    assert first[1]["_stdin"] == second[1]["_stdin"] == "the record"
