"""A workspace is read and asked in one command after its change; what was not foreseen, or not
answered whole, is asked by itself."""

from __future__ import annotations

import os
import shlex
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from converge.plan.snapshot import Snapshot
from converge.proof import inquiry
from converge.proof.check import Ask
from tasks.reach import commands, remote
from tasks.run.stages import Activated
from tasks.steps import activate, again, proof, read
from tests.plan.plans import EVERY, found, plan
from tests.remote.reading import FILES
from tests.run.steps import make
from tests.tools import need

__all__ = ["make"]  # the fixture
BUILT = {"paths": {"nixos": "/nix/store/new-system", "home-manager": "/nix/store/new-home"}}


def changed(make: Any, *answers: Any) -> Any:
    here = found()
    return make(*answers, made=plan(here, selected=EVERY), stage=Activated, known=BUILT)


def answers(asked: tuple[Ask, ...]) -> tuple[str, ...]:
    """Whole replies that say nothing."""
    text = b64encode(b"x\n").decode()
    rows = (f"answer {number} ={text} 0 =" for number in range(len(asked)))
    return (inquiry.FIRST, *rows, "end")


@pytest.fixture
def readable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reading finds what was expected."""

    def understood(answer: remote.Answer) -> Snapshot | str:
        return found() if answer.lines == ("workspace-begin", "end") else "it was not read"

    monkeypatch.setattr(read, "understood", understood)


def test_a_workspace_is_read_and_asked_in_one_command(
    make: Any, readable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = changed(make)
    monkeypatch.setattr(proof, "SETTLE_S", 0)
    asked = proof.foreseen(activate._expected(work))
    assert len(asked) > 50
    work.host.answers = [("workspace-begin", "end", *answers(asked)), answers(())]
    snapshot, earlier = again.look(work, activate._expected(work))
    assert snapshot is not None
    known = proof.context(activate._expected(work))
    assert len(earlier.replies(known)) == len(asked)
    ((command, options),) = work.host.commands
    assert len(shlex.quote(shlex.join(command))) < 100_000, "Linux allows no argument over 128 KiB"
    assert command.count(remote.text(remote.PROGRAMS / "common.sh")) == 1
    assert remote.text(remote.PROGRAMS / "common.sh") not in options["_stdin"]
    findings = proof.after(activate._expected(work), earlier)
    assert findings
    assert len(work.host.commands) == 2, "what is wrong is asked once more, and nothing else"


@pytest.mark.parametrize("lines", [1, 2, 30, -1])
def test_answers_that_are_not_whole_count_for_nothing(
    make: Any, readable: None, lines: int
) -> None:
    work = changed(make)
    asked = proof.foreseen(activate._expected(work))
    work.host.answers = [("workspace-begin", "end", *answers(asked)[:lines])]
    snapshot, earlier = again.look(work, activate._expected(work))
    assert snapshot is not None
    assert earlier.replies(proof.context(work)) == {}


def test_a_workspace_that_was_not_read_was_not_asked(make: Any, readable: None) -> None:
    work = changed(make, ("workspace-begin", "half of it"))
    snapshot, earlier = again.look(work, activate._expected(work))
    assert (snapshot, earlier.lines) == (None, ())


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("room", [False, True])
def test_the_questions_are_answered_behind_a_reading_and_not_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool, room: bool
) -> None:
    for name in ("home/.config", "var/lib", "etc"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text("ID=nixos\n")
    if fails:
        right = remote.without_common
        monkeypatch.setattr(
            remote, "without_common", lambda n: "exit 1\n" if n == "detect" else right(n)
        )
    flakes = ["/etc/none", "", "~/none", ""]
    file = str(tmp_path / "etc/os-release")
    asked = ("file", file)
    words: Sequence[str] = [str(tmp_path), "9999", "-", "-", "0", "10", str(len(asked)), *asked]
    if not room:
        monkeypatch.setattr(commands, "_ROOM", 0)
    words, probes = commands.asking(words, inquiry.probes([Ask("file", (file,))]))
    assert bool(probes) is not room
    given = commands.look_command(str(tmp_path), [*flakes, *FILES], words)
    done = subprocess.run(
        [need("dash"), "-c", given.get_raw_value()],
        input=probes,
        env={**os.environ, "HOME": str(tmp_path / "home"), "XDG_STATE_HOME": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    reading, answered = inquiry.apart(done.stdout.splitlines())
    assert inquiry.whole(answered) is not fails, done.stdout + done.stderr
    if not fails:
        assert reading[0] == "workspace-begin" and reading[-1] == "end"
        assert answered[1] == f"answer 0 ={b64encode(b'ID=nixos' + bytes([10])).decode()} 0 ="
