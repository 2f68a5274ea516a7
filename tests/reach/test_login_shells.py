"""A command arrives as it was sent, whatever shell the user of a workspace logs in to."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.connectors.util import make_unix_command

from tasks.reach import remote
from tests.tools import need

WORDS = (
    "",
    "'",
    "\\",
    "\\\\",
    "\\\\\\",
    "\\'",
    "\\\\'",
    "''\\''",
    "a\\\n",
    "\\\n'",
    "$x!`*~\\n",
    '"',
)
SHELLS = ("dash", "bash", "zsh", "fish")


def sent(given: Any, **options: Any) -> str:
    """What the login shell gets of a command."""
    found: list[str] = []

    def run(command: Any, **arguments: Any) -> tuple[bool, SimpleNamespace]:
        for other in ("_timeout", "_stdin", "print_output", "print_input"):
            arguments.pop(other, None)
        found.append(make_unix_command(command, **arguments).get_raw_value())
        return True, SimpleNamespace(stdout_lines=[], stderr_lines=[])

    data = options.pop("data", {})
    host = SimpleNamespace(connector=None, data=data, run_shell_command=run)
    assert remote.send(host, given, **options).ok
    return found[0]


def said(shell: str, command: str) -> bytes:
    plain = ["--no-config"] if shell == "fish" else ["-f"] if shell == "zsh" else []
    return subprocess.run([need(shell), *plain, "-c", command], capture_output=True).stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("data", [{}, {"_env": {"X": "it's \\\\ \\"}}])
def test_each_word_arrives_in_each_login_shell(shell: str, data: dict[str, Any]) -> None:
    text = 'printf "%s\\0" "${X:-}" "$@"'
    expected = [data.get("_env", {}).get("X", ""), *WORDS, ""]
    found = said(shell, sent(remote.sh(text, "name", *WORDS), data=data))
    assert found.decode().split("\0") == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_each_program_arrives_in_each_login_shell(shell: str) -> None:
    for path in sorted(remote.PROGRAMS.glob("*.sh")):
        text = remote.text(path)
        assert said(shell, sent(remote.sh('printf %s "$1"', "x", text))).decode() == text, path


def test_what_root_runs_arrives_in_one_word() -> None:
    command = sent(remote.sh("echo '\\\\'"), sudo=True)
    assert command.startswith("sudo -H -n sh -c 'cd / && ")
    assert said("fish", command.removeprefix("sudo -H -n ")) == said("dash", "echo '\\\\'")
