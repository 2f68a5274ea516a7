"""A change is begun, and its workspace read and asked, in one command; what was not foreseen, or
not answered whole, is asked by itself."""

from __future__ import annotations

import os
import shlex
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from converge.plan.snapshot import Snapshot
from converge.proof import inquiry
from converge.proof.check import Ask
from tasks.reach import commands, remote
from tasks.reach.payload import archive, encoded
from tasks.run.stages import Activated, Built
from tasks.steps import activate, proof, read, together
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

    def understood(answer: remote.Answer, earlier: Snapshot | None = None) -> Snapshot | str:
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
    snapshot, earlier = together.look(work, activate._expected(work))
    assert snapshot is not None
    known = proof.context(activate._expected(work))
    assert len(earlier.replies(known)) == len(asked)
    ((command, options),) = work.host.commands
    assert len(shlex.quote(shlex.join(command))) < 100_000, "Linux allows no argument over 128 KiB"
    assert command.count(remote.text(remote.PROGRAMS / "common.sh")) == 1
    for name in ("detect", "flakes"):  # a change changes neither
        assert not any(remote.without_common(name) in word for word in command)
    assert remote.text(remote.PROGRAMS / "common.sh") not in options["_stdin"]
    findings = proof.after(activate._expected(work), earlier)
    assert findings
    assert len(work.host.commands) == 2, "what is wrong is asked once more, and nothing else"


@pytest.fixture
def small(make: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a change whose questions have room in the command that begins it."""
    monkeypatch.setattr(commands, "_ROOM", 100_000)
    return partial(make, stage=Built)


def begun(work: Any) -> tuple[remote.Answer, remote.Answer | None]:
    return together.begin(work, activate._expected(work), 20, "payload")


def test_a_change_is_begun_and_looked_at_in_one_command(small: Any, readable: None) -> None:
    work = small()
    asked = proof.foreseen(activate._expected(work))
    look = ("workspace-begin", "end", *answers(asked))
    work.host.answers = [("started process", "status activated r", *look)]
    active = activate.begin(work)
    ((command, _),) = work.host.commands
    assert len(shlex.quote(shlex.join(command))) < 110_000, "Linux allows no argument over 128 KiB"
    assert (active.looked and active.looked.lines) == look
    snapshot, earlier = together.look(active, activate._expected(active), active.looked)
    assert snapshot is not None and len(earlier.replies(proof.context(active))) == len(asked) > 0
    assert len(work.host.commands) == 1
    work.host.answers = [look]
    together.look(active, activate._expected(active))
    assert len(work.host.commands) == 2, "what was looked at once is looked at anew"


def test_what_a_workspace_says_behind_a_beginning_does_not_begin_it_twice(small: Any) -> None:
    work = small(("started process", "status activated r", "workspace-begin", "lacking", "end"))
    answer, looked = begun(work)
    assert answer.first("status") == "activated r" and looked is not None
    assert len(work.host.commands) == 1


@pytest.mark.parametrize("how", ["a part of root's", "no room for the probes"])
def test_what_cannot_go_with_the_beginning_is_asked_for_later(
    small: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    started = ("started process", "status activated r")
    work = small(started)
    if how == "a part of root's":
        work = small(started, made=plan(found(), selected=EVERY), known=BUILT)
        assert work.as_root
    else:
        monkeypatch.setattr(commands, "_ROOM", 0)
    answer, looked = begun(work)
    assert answer.first("status") == "activated r" and looked is None
    ((command, options),) = work.host.commands
    assert "workspace-snapshot" not in command and options["_stdin"] == "payload"


def test_a_beginning_whose_answer_was_lost_is_waited_for_and_looked_at_later(
    small: Any,
) -> None:
    work = small(TimeoutError(), ("status activated r",))
    answer, looked = begun(work)
    assert answer.first("status") == "activated r" and looked is None
    assert work.host.words(1)[1::2] == ["wait", "60"]


def test_a_workspace_that_cannot_unpack_the_program_is_sent_it(small: Any) -> None:
    lacking, started = ("lacking",), ("started process", "status activated r")
    work = small(lacking, lacking, started)
    assert begun(work)[0].first("status") == "activated r"
    assert [work.host.words(n)[1] for n in range(3)] == ["start"] * 3


@pytest.mark.parametrize(
    ("said", "reads"),
    [
        ("started process\nstatus activated r", True),
        ("status activated r", True),
        ("started process\nstatus activating r", False),
        ("status undone nothing was changed: status activated r", False),
        ("failed no room", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("code", [0, 70])
def test_the_workspace_is_read_behind_a_change_that_is_in_force_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, reads: bool, code: int
) -> None:
    text = f"printf '%s\\n' \"$1\" \"$3\"\ncat <<'E'\n{said}\nE\nexit {code}\n"
    monkeypatch.setattr(remote, "program", lambda _: text)
    monkeypatch.setattr(commands, "_look", lambda *_: ('echo "$0" "$@"', "looked", *"it's so"))
    given = commands.begin_command("/a place", 20, "/", [], [])
    packed = encoded(archive({"transact.sh": (text.encode(), 0o600)}))
    run = [need("dash"), "-c", given.get_raw_value()]
    done = subprocess.run(run, input=packed, capture_output=True, text=True, check=False)
    lines = ["start", "20", *said.splitlines(), *(["looked i t ' s   s o"] if reads else [])]
    assert done.stdout.rstrip("\n").splitlines() == lines, done.stderr
    assert done.returncode == (0 if reads else code)


@pytest.mark.parametrize("lines", [1, 2, 30, -1])
def test_answers_that_are_not_whole_count_for_nothing(
    make: Any, readable: None, lines: int
) -> None:
    work = changed(make)
    asked = proof.foreseen(activate._expected(work))
    work.host.answers = [("workspace-begin", "end", *answers(asked)[:lines])]
    snapshot, earlier = together.look(work, activate._expected(work))
    assert snapshot is not None
    assert earlier.replies(proof.context(work)) == {}


def test_a_workspace_that_was_not_read_was_not_asked(make: Any, readable: None) -> None:
    work = changed(make, ("workspace-begin", "half of it"))
    snapshot, earlier = together.look(work, activate._expected(work))
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
            remote, "without_common", lambda n: "exit 1\n" if n == "read" else right(n)
        )
    file = str(tmp_path / "etc/os-release")
    asked = ("file", file)
    words: Sequence[str] = [str(tmp_path), "9999", "-", "-", "0", "10", str(len(asked)), *asked]
    if not room:
        monkeypatch.setattr(commands, "_ROOM", 0)
    words, probes = commands.asking(words, inquiry.probes([Ask("file", (file,))]))
    assert bool(probes) is not room
    given = commands.look_command(str(tmp_path), FILES, words)
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
