"""Each command, driven to its ends: the last line, the code, the journal, the report and JUnit have
one word, and what a person reads fits."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from converge.exits import Exit, Outcome
from converge.report.junit import xml
from converge.report.model import build, load
from converge.report.words import outcome as shown_outcome
from tests.conftest import Box, Cli
from tests.conftest import Outcome as Ended
from tests.tools import need


def agree(ended: Ended, word: Outcome, *, verb: str) -> None:
    """Everything that tells how a run ended tells ``word``, and ``verb`` may end with it."""
    assert verb in word.verbs
    assert f"{word} (exit {int(word.exit)}), journal " in ended.last_line, ended.out + ended.err
    assert ended.code == word.exit
    end, (result,) = ended.journal[-1], ended.kinds("result")
    assert (end["kind"], end["outcome"], end["exit"]) == ("run-end", word.value, int(word.exit))
    assert result["outcome"] == word.value
    report = build([load(Path(str(end["journal"])))])
    assert shown_outcome(report) == word.value
    (case,) = [
        one for one in ElementTree.fromstring(xml(report)).iter("testcase")
        if one.get("name") == "result"
    ]  # fmt: skip
    assert (len(case) == 0) == (word.exit is Exit.DONE or word is Outcome.CHANGES)


def test_every_command_of_the_desktop_ends_with_its_word_everywhere(cli: Cli, desktop: Box) -> None:
    def go(word: Outcome, verb: str, *arguments: str) -> Ended:
        task, _, dry = verb.partition(" ")
        name = "deploy.py" if task == "deploy" else f"tasks/{task}.py"
        flags = [dry] if dry else [] if task in ("verify", "status", "why") else ["-y"]
        ended = cli(desktop.inventory, name, *flags, *arguments)
        agree(ended, word, verb=verb)
        return ended

    go(Outcome.DIFFERS, "status")
    go(Outcome.CHANGES, "deploy --dry")
    applied = go(Outcome.PENDING, "deploy")
    assert "kwin.contrast" in applied.out.partition("pending")[2], "pending is named"
    assert "log out and in, then tasks/verify.py" in " ".join(applied.out.split())
    assert f"tasks/rollback.py --data run={applied.journal[0]['run']}" in applied.out
    go(Outcome.UNCHANGED, "deploy")
    go(Outcome.UNCHANGED, "deploy --dry")
    go(Outcome.AWAITED, "verify")
    go(Outcome.EXPLAINED, "why", "--data", "setting=kwin.contrast")
    go(Outcome.TO_MEASURE, "measure --dry")
    kwinrc = desktop.config("kwinrc")
    proved = kwinrc.read_bytes()
    kwinrc.write_bytes(proved.replace(b"contrastEnabled=false", b"contrastEnabled=true"))
    go(Outcome.INEFFECTIVE, "verify")
    go(Outcome.DIFFERS, "status")
    kwinrc.write_bytes(proved)
    go(Outcome.CHANGES, "rollback --dry")
    go(Outcome.UNDONE, "rollback")


def test_where_nothing_applies_is_no_success_and_a_fault_where_it_was_asked_for(
    cli: Cli, tmp_path: Path
) -> None:
    """A machine without any layer of ours, once as it is and once with a flake that was named."""
    import getpass

    home = tmp_path / "bare/home"
    home.mkdir(parents=True)
    data: dict[str, object] = {
        "name": "bare",
        "profile": "inventory/hardware/gyakusatsu.yaml",
        "user": getpass.getuser(),
        "root": str(tmp_path / "bare"),
        "_env": {"HOME": str(home), "PATH": "/usr/bin:/bin"},
    }
    for more, words in (
        ({}, {Outcome.NOWHERE, Outcome.REFUSED, Outcome.FAILED, Outcome.CHANGES}),
        ({"base_home": "~/nope"}, {one for one in Outcome if one.exit is not Exit.DONE}),
    ):
        ended = cli(cli.inventory({**data, **more}), "deploy.py", "--dry")
        word = Outcome(str(ended.journal[-1]["outcome"]))
        assert word in words, ended.out + ended.err
        agree(ended, word, verb="deploy --dry")


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 2.5, 4.0])
def test_ctrl_c_from_the_first_line_on_ends_in_130(cli: Cli, desktop: Box, moment: float) -> None:
    """``moment``: seconds after the process began to answer signals by itself."""
    process = cli.start(desktop.inventory, "deploy.py", "--dry", own_group=True)
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
