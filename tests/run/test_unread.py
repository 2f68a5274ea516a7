"""A workspace that cannot be read: likely cause and what to do are printed and recorded (U22)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.plan import unread
from tests import sshd
from tests.conftest import Box, Cli
from tests.tools import need

USER = sshd.TWO


@pytest.fixture
def login(ssh_server: sshd.Server) -> Iterator[Path]:
    """The login shell of a user of the server, to be written; bash's own as long as it is not."""
    shell = ssh_server.directory / "login-shell"
    shell.write_text(f'#!/bin/sh\nexec {need("bash")} "$@"\n')
    shell.chmod(0o755)
    sshd.account("usermod", "-s", str(shell), USER)
    try:
        yield shell
    finally:
        sshd.account("usermod", "-s", "/bin/sh", USER)


def look(cli: Cli, server: sshd.Server) -> tuple[int, str, str]:
    run = cli(cli.inventory(server.box(USER, "unread", nix=False)), "deploy.py", "--dry")
    problems = " ".join(str(record["text"]) for record in run.kinds("problem"))
    return run.code, " ".join(run.out.split()), problems


def test_u22_what_a_login_prints_by_itself_is_passed_over(
    cli: Cli, ssh_server: sshd.Server, login: Path
) -> None:
    login.write_text('#!/bin/sh\necho "3 updates"\nsh "$@"\ncode=$?\necho bye\nexit $code\n')
    code, out, _ = look(cli, ssh_server)
    assert code == 2, out


def test_a_program_that_the_workspace_lacks_is_named_where_its_answer_has_holes(
    cli: Cli, desktop: Box
) -> None:
    gzip = cli.directory / "bin/gzip"
    gzip.parent.mkdir()
    gzip.write_text('#!/bin/sh\necho "sh: 1: gzip: not found" >&2\nexit 127\n')
    gzip.chmod(0o755)
    cli.environment["PATH"] = f"{gzip.parent}:{cli.environment['PATH']}"
    run = cli(desktop.inventory, "deploy.py", "--dry")
    said = " ".join(str(one["text"]) for one in run.kinds("problem"))
    assert run.code == 1
    assert "a program is missing there" in said and "gzip: not found" in said
    assert "to do: install it on the workspace" in said and "damaged" not in said


@pytest.mark.parametrize(
    ("shell", "what", "do"),
    [
        ("exit 0", "an exit or exec in ~/.bashrc", "case $- in *i*)"),
        ("echo This account is currently not available.; exit 1", "refuses logins", "usermod -s"),
        ("echo backup only", "a ForceCommand of sshd", "run commands over SSH"),
        ("""echo "Unmatched ''''." >&2; exit 1""", "the login shell there is a csh", "chsh -s"),
        ("sh -c 'x=\"'", "the command did not arrive whole", "try again"),
    ],
)
def test_u22_a_login_that_runs_nothing_is_named_on_the_terminal_and_in_the_journal(
    cli: Cli, ssh_server: sshd.Server, login: Path, shell: str, what: str, do: str
) -> None:
    login.write_text(f"#!/bin/sh\n{shell}\n")
    code, out, problems = look(cli, ssh_server)
    assert code == 1, out
    for text in (what, do):
        assert text in out
        assert text in problems


def test_u22_a_tar_of_busybox_and_a_missing_program_are_named_with_what_it_said() -> None:
    begun = [unread.BEGIN, "detect\t1"]
    busybox = ["tar: unrecognized option: null", "BusyBox v1.36.1 multi-call binary."]
    assert "not GNU tar" in unread.why(begun, busybox)
    said = unread.why(begun, ["sh: 1: sha256sum: not found"])
    assert "a program is missing there: 'sh: 1: sha256sum: not found'" in said
    assert "its disk is full" in unread.why(begun, ["cat: write error: No space left on device"])
    assert "ends before its end" in unread.why(begun, [])
    assert "the connection broke" in unread.why([], [], lost=True)


def test_u22_only_what_lies_between_the_marks_is_the_answer() -> None:
    whole = ["Welcome", unread.BEGIN, "a", "end", "b", "end", "bye"]
    assert unread.framed(whole) == ["a", "end", "b", "end"]
    for cut in ([], ["a", "end"], [unread.BEGIN, "a"], ["end", unread.BEGIN]):
        assert unread.framed(cut) is None
    assert os.linesep not in unread.why(["x" * 999], [])
    assert len(unread.why(["x" * 999], [])) < 600
