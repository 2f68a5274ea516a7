"""Keep digests of data that the schemas allowed on the controller: such data seldom changes."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from converge.profile import schema
from tasks.run.journal import private

_DIGEST = re.compile(r"[0-9a-f]{64}")
#: Digests that are kept, the newest: more than a fleet has profiles and choices.
KEPT = 1000


def recall(directory: Path) -> None:
    """Read the digests. A missing or malformed file, or one of another user, has none."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        path = directory / "allowed"
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o022:
            return
        if status.st_uid != os.geteuid():
            return  # the file of another user is not trusted
        text = path.read_text(encoding="ascii")
        schema.allowed.update(line for line in text.splitlines() if _DIGEST.fullmatch(line))


def keep(directory: Path, before: frozenset[str]) -> None:
    """Write the digests, if some are new since ``before``. Where they cannot be written, the next
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
