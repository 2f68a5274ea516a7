"""A command's modules are imported while its connections are opened, and each failure stays its
own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

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
