"""What the user's processes say to root's part: bounded, and nobody holds root up (S3)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tasks.reach.remote import PROGRAMS, text
from tests import sshd
from tests.remote.recording import run_id
from tests.remote.test_record_root import Rooted, rooted
from tests.tools import need

__all__ = ["rooted"]  # the fixture
PART = text(PROGRAMS / "common.sh") + text(PROGRAMS / "record.sh")
LIMIT = 65536
#: What a process of the user does with the output that root reads -> what root has of it.
SAID = {
    "a word": ("printf 'one\\n\\ntwo'; exit 7", b"one\n\ntwo", 7),
    "nothing": ("exit 3", b"", 3),
    "more than the limit": ("head -c 3000000 /dev/zero; exit 5", b"\0" * LIMIT, 5),
    "held open": ("setsid sleep 60 2>/dev/null & echo said; exit 4", b"said\n", 4),
    "written to for ever": ("setsid yes 2>/dev/null & exit 0", b"y\n" * (LIMIT // 2), 0),
}


def told(rooted: Rooted, said: str) -> tuple[subprocess.CompletedProcess[bytes], Path]:
    place = rooted.place(run_id(1))
    place.mkdir(parents=True)
    (place / "plan").write_text(rooted.plan(run_id(1), 1))
    rest = 'told sh -c "$3"; code=$?; echo; echo "code $code"; find "$T" -name ".told*"'
    done = subprocess.run(
        [need("dash"), "-c", f"{PART}{rest}", "part", "verb", str(place), said],
        env={**os.environ, **rooted.environment},
        capture_output=True,
        timeout=60,
    )
    return done, place


@pytest.mark.parametrize("name", SAID)
def test_s3_what_the_user_says_neither_fills_roots_disk_nor_holds_root_up(
    rooted: Rooted, name: str
) -> None:
    script, expected, code = SAID[name]
    mark = f"{os.getpid()}-{name.replace(' ', '-')}"
    begun = time.monotonic()
    look = "stat -L -c %F /proc/$$/fd/1 >&2"
    done, place = told(rooted, f"export WT_MARK={mark}; {look}; {script}")
    took = time.monotonic() - begun
    try:
        assert done.stdout == expected + f"\ncode {code}\n".encode(), done.stderr
        assert done.stderr == b"fifo\n", "the user's process has no file of root's"
        assert took < 50
        files = [one for one in place.rglob("*") if one.is_file()]
        assert [one.name for one in files] == ["plan"]
        sshd.wait_for(lambda: not reads(place), "the end of root's process that reads")
    finally:
        for one in Path("/proc").glob("[0-9]*/environ"):
            if f"WT_MARK={mark}" in _read(one):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(one.parent.name), signal.SIGKILL)


def reads(place: Path) -> list[Path]:
    """The processes that have a path below ``place`` in their command line."""
    return [one for one in Path("/proc").glob("[0-9]*/cmdline") if str(place) in _read(one)]


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_bytes().decode(errors="replace")
    return ""
