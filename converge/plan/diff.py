"""The bytes of a change as a person reads them: a unified diff, with the home as ``~``."""

from __future__ import annotations

import difflib
import re

from converge.plan.plan import Change

_LINES = re.compile(r"[^\n]*\n|[^\n]+")  # only \n ends a line in these files
BINARY = "(not text: {} bytes)"


def unified(change: Change, *, home: str) -> list[str]:
    """A unified diff of the bytes that a run writes, which also shows a missing last newline."""
    try:
        before, after = ((b or b"").decode() for b in (change.before, change.after))
    except UnicodeDecodeError:
        return [BINARY.format(len(change.after or b""))]
    name = short(change.path, home)
    absent = "/dev/null"
    lines = difflib.unified_diff(
        _LINES.findall(before),
        _LINES.findall(after),
        fromfile=absent if change.before is None else name,
        tofile=absent if change.after is None else name,
        n=2,
    )
    shown: list[str] = []
    for line in lines:
        shown.append(line.removesuffix("\n").replace("\r", "\\r"))
        if not line.endswith("\n"):
            shown.append("\\ No newline at end of file")
    return shown


def short(path: str, home: str) -> str:
    """A path with the home as ``~``; ``home`` is empty where no record has it."""
    return f"~{path[len(home) :]}" if home and path.startswith(f"{home}/") else path
