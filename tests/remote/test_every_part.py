"""Several programs read a workspace in one command. Where one of them prints nothing, something
else, or fails, the workspace counts as not read, and nothing as absent."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from converge.gate import detect
from converge.plan import unread
from converge.plan.observed import SnapshotError, parse
from tasks.reach import commands, remote
from tests.remote.reading import FILES

BROKEN = {
    "empty": ":\n",
    "garbage": "printf '\\033[31m\\n%% = : [] {}\\nend\\n'\n",
    "an error": "echo 'error: it broke' >&2; exit 1\n",
    "killed": "kill -9 $$\n",
}


def read(place: Path) -> tuple[int, list[str]]:
    """The reading of an empty home: exit code and lines."""
    for name in ("home/.config", "var/lib", "etc"):
        (place / name).mkdir(parents=True, exist_ok=True)
    words = ["system", "/etc/none", "", "home", "~/none", ""]
    given = commands.read_command(str(place), [*(words[n] for n in (1, 2, 4, 5)), *FILES])
    done = subprocess.run(
        ["sh", "-c", given.get_raw_value()],
        env={**os.environ, "HOME": str(place / "home"), "XDG_STATE_HOME": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace").splitlines()


def whole(code: int, lines: list[str]) -> bool:
    """Whether a run would go on with it, as ``tasks.steps.read.attempt`` and ``gate.hardware``."""
    framed = unread.framed(lines)
    if framed is None or code != 0:
        return False
    try:
        detect.parse("\n".join(parse(framed).machine) + "\n")
    except (SnapshotError, detect.NotDetected):
        return False
    return True


def test_a_workspace_is_read_by_all_of_them(tmp_path: Path) -> None:
    assert len(commands.READ) >= 4
    assert whole(*read(tmp_path))


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("part", commands.READ)
def test_a_part_that_breaks_is_no_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, how: str
) -> None:
    right = remote.without_common
    monkeypatch.setattr(
        remote, "without_common", lambda name: BROKEN[how] if name == part else right(name)
    )
    assert not whole(*read(tmp_path))
