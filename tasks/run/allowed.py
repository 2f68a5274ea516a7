"""Keep on the controller which data the schemas allowed: profiles and choices seldom change."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from converge.profile import schema
from tasks.run.journal import private

_DIGEST = re.compile(r"[0-9a-f]{64}")
#: More than the workspaces of a fleet have profiles and choices; older ones are forgotten.
KEPT = 1000


def recall(directory: Path) -> None:
    """Take for allowed what was; whatever else is in the file, or no file, says nothing."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        path = directory / "allowed"
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o022:
            return
        if status.st_uid != os.geteuid():
            return  # what somebody else allowed is validated
        text = path.read_text(encoding="ascii")
        schema.allowed.update(line for line in text.splitlines() if _DIGEST.fullmatch(line))


def keep(directory: Path, before: frozenset[str]) -> None:
    """Write what was allowed since ``before``, if anything was. Without a place to write, the next
    run validates again."""
    new = sorted(schema.allowed - before)
    if not new:
        return
    path = directory / "allowed"
    temporary = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        private(directory)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with os.fdopen(os.open(temporary, flags, 0o600), "w") as file:
                file.write("".join(f"{one}\n" for one in (new + sorted(before))[:KEPT]))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
