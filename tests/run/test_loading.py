"""A command's modules are imported once its first workspace is being read, and each failure stays
its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import sshd
from tests.conftest import PROJECT, Cli
from tests.tools import need

#: Beside a connection that waits, and again behind it: what was imported, in order.
_SCRIPT = """\
import sys, gevent
import pyinfra_cli.main
from pathlib import Path
from tasks.run import loading
before = set(sys.modules)
loading.begin(Path(sys.argv[1]))
assert set(sys.modules) == before, "a connection goes first"
loading.begin(Path("/none/of/them.py"))
for _ in range(100):
    gevent.sleep(0)
print(*sorted(set(sys.modules) - before))
"""


def imported(command: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, command], cwd=PROJECT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("deploy.py", "tasks.steps.activate"),
        ("deploy.py", "tasks.run.operations"),
        ("tasks/verify.py", "tasks.steps.proof"),
        ("tasks/rollback.py", "tasks.steps.back"),
    ],
)
def test_what_a_command_needs_is_there_once_it_is_connected(command: str, module: str) -> None:
    assert module in imported(PROJECT / command)


@pytest.mark.parametrize("text", ["from tasks.steps import none_such\n", "def (\n", None])
def test_what_cannot_be_imported_is_told_by_the_command_alone(
    tmp_path: Path, text: str | None
) -> None:
    command = tmp_path / "command.py"
    if text is not None:
        command.write_text(text)
    assert not [name for name in imported(command) if name.startswith("tasks.steps.")]


def test_a_workspace_is_being_read_before_the_rest_is_imported(
    cli: Cli, ssh_server: sshd.Server, tmp_path: Path
) -> None:
    inventory = cli.inventory(ssh_server.box(sshd.ONE, "early", nix=False))
    calls = tmp_path / "calls"
    traced = (need("strace"), "-qq", "-e", "trace=connect,openat,sendto,write", "-o", str(calls))
    ended = cli.end(cli.start(inventory, "deploy.py", "--dry", under=traced))
    assert ended.code == 2, ended.out + ended.err
    before, connected, rest = calls.read_text().partition("sa_family=AF_INET,")
    assert connected
    modules = ("plan/__pycache__/plan", "plan/__pycache__/snapshot", "report/__pycache__/model")
    late = "|".join((*modules, "subjects/__pycache__/checks"))
    assert not re.search(late, before)
    early, *later = re.split(late, rest)
    assert later
    sent = map(int, re.findall(r"^(?:sendto|write)\(.* = ([0-9]+)$", early, re.MULTILINE))
    assert sum(sent) > 15_000, "the command that reads"
