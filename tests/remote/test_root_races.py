"""A process of the user that swaps things all the while root's real programs run (S3)."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import sshd
from tests.remote.recording import run_id
from tests.remote.test_record_root import THEM, Rooted, rooted
from tests.tools import need

__all__ = ["rooted"]  # the fixture
SECRET = b"only for root\n"
#: What the loop puts in the place "$1" again and again; "$2" is the secret directory of root's.
TRICKS = {
    "link to root's directory": 'ln -sT "$2" "$1"',
    "link to /etc": 'ln -sT /etc "$1"',
    "fifo": 'mkfifo "$1"',
}
#: At most so many times: then it ends by itself, whoever forgets it.
LOOP = """\
count=0
while [ "$count" -lt 3000 ]; do
    count=$((count + 1))
    mv -T "$1" "$1.aside" && {trick} && echo "$count" >"$3"
    sleep 0.005
    rm -rf "$1"; mv -T "$1.aside" "$1"
    sleep 0.005
done 2>/dev/null
"""


@contextmanager
def swapping(rooted: Rooted, place: Path, trick: str) -> Iterator[Path]:
    """A process of the user swaps ``place`` until the end; the file that counts how often."""
    count = rooted.home / "count"
    script = LOOP.replace("{trick}", TRICKS[trick])
    words = (str(place), str(rooted.root / "secret"), str(count))
    loop = subprocess.Popen(
        ["runuser", "-u", THEM, "--", need("dash"), "-c", script, "loop", *words],
        process_group=0,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        sshd.wait_for(count.exists, "the first swap")
        yield count
    finally:
        os.killpg(loop.pid, signal.SIGKILL)
        loop.wait(20)


def roots(place: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """What lies in a directory of root's: times apart, all that a program could change."""
    found = {}
    for path in (place, *sorted(place.rglob("*"))):
        held = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(held.st_mode) else b""
        found[str(path)] = (held.st_mode, held.st_uid, held.st_gid, content)
    return found


@pytest.mark.parametrize(
    ("place", "trick"),
    [
        ("state", "link to root's directory"),
        ("config", "link to root's directory"),
        ("config", "link to /etc"),
        ("config", "fifo"),
    ],
)
def test_s3_whatever_is_swapped_while_root_works_root_neither_writes_nor_reads_there(
    rooted: Rooted, trick: str, place: str
) -> None:
    secret = rooted.root / "secret"
    secret.mkdir()
    for name in ("one.conf", "written.json", "number", "rollback"):
        (secret / name).write_bytes(SECRET)
    (secret / "runs").mkdir()
    for path in (secret, *secret.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    before = roots(secret)
    etc = sorted(os.listdir("/etc"))
    swapped = rooted.state if place == "state" else rooted.home / ".config"
    said = []
    with swapping(rooted, swapped, trick) as count:
        said.append(rooted.begin(run_id(1), 1, {"one.conf": b"new\n"}, deadline=10))
        said.append(rooted.transact("decide", run_id(1), "confirm"))
        said.append(rooted.transact("undo", run_id(1)))
        assert int(count.read_text() or 1) > 0
    for one in said:
        assert re.search(r"^(status|failed|gone|none)", one, re.MULTILINE), said
    assert roots(secret) == before
    assert sorted(os.listdir("/etc")) == etc
    for top in (rooted.home, rooted.root / "var/lib/workspace-tuning"):
        for path in top.rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert SECRET not in path.read_bytes(), path
    for path in rooted.home.rglob("*"):
        assert path.lstat().st_uid != 0, path
