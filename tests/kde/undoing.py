"""``remote/entries.awk`` as a workspace runs it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from converge.kde.back import Back, encode
from converge.kde.taken import Taken
from tasks.reach.remote import PROGRAMS
from tests.tools import need


def as_od_prints(text: bytes) -> bytes:
    """``od -An -v -tx1 -w1``, which the program of a workspace reads a file by."""
    return b"".join(b" %02x\n" % one for one in text)


def by_awk(text: bytes, entries: Sequence[Back], place: Path, awk: str = "awk") -> Taken:
    """What the program makes of a file."""
    if not entries:  # remote/undo.sh does not call it then
        return Taken(text, (), ())
    record, report = place / "record", place / "report"
    record.write_bytes(encode(entries))
    program = [need(awk), "-f", str(PROGRAMS / "entries.awk")]
    done = subprocess.run(
        [*program, str(record), "-"],
        input=as_od_prints(text),
        capture_output=True,
        check=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "REPORT": str(report)},
        timeout=60,
    )
    assert done.stderr == b""
    said = report.read_text(errors="surrogateescape").splitlines()
    assert said.pop() == "end"
    words = [one.partition(" ") for one in said]
    return Taken(
        bytes.fromhex(done.stdout.decode().replace("\n", "")),
        tuple(rest for word, _, rest in words if word == "set"),
        tuple(rest for word, _, rest in words if word == "left"),
    )
