"""The bytes of a change as a person reads them: a unified diff, with the home as ``~``."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence

from converge.plan.plan import Change

_LINES = re.compile(r"[^\n]*\n|[^\n]+")  # only \n ends a line in these files
_PAIRS = 200_000  # of equal lines: difflib looks at each pair, some of them fifty times
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
        *_comparable(_LINES.findall(before), _LINES.findall(after)),
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


class _Unlike(str):
    """A line that equals no other one of the same text."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def _comparable(before: list[str], after: list[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The lines for difflib. Where many lines are alike, which would take hours, all between the
    same begin and the same end of both counts as changed."""
    times = Counter(after)
    popular = len(after) // 100 + 1 if len(after) >= 200 else len(after)  # these difflib leaves out
    if sum(times[line] for line in before if times[line] <= popular) <= _PAIRS:
        return before, after
    shorter = min(len(before), len(after))
    begin = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    rest = range(1, shorter - begin + 1)
    end = next((n - 1 for n in rest if before[-n] != after[-n]), shorter - begin)
    first, last = map(_Unlike, before[:begin]), map(_Unlike, before[len(before) - end :])
    same = [*first], [*last]
    changed = ([*map(_Unlike, lines[begin : len(lines) - end])] for lines in (before, after))
    one, other = ([*same[0], *lines, *same[1]] for lines in changed)
    return one, other


def short(path: str, home: str) -> str:
    """A path with the home as ``~``; ``home`` is empty where no record has it."""
    return f"~{path[len(home) :]}" if home and path.startswith(f"{home}/") else path
