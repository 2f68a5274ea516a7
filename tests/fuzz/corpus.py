"""The corpus of each reader: ``tests/data/fuzz/<reader>.b64``, one input a line in base64.

A search of hours finds thousands of inputs. The corpus keeps a few that together reach every step
between lines of the product that all inputs reach.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

CORPUS = Path(__file__).parents[1] / "data" / "fuzz"
CODE = tuple(f"{Path(__file__).parents[2] / name}/" for name in ("converge", "tasks"))
LONGEST = 2048  # bytes of an input that is kept
MOST = 40  # inputs of one reader

Reached = frozenset[tuple[str, int, int]]  # file, line before, line


def kept(name: str) -> list[bytes]:
    """The inputs of a reader that are kept."""
    path = CORPUS / f"{name}.b64"
    return [base64.b64decode(line) for line in path.read_text().split()] if path.exists() else []


def keep(name: str, inputs: Iterable[bytes]) -> None:
    """Write the corpus of a reader anew."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    lines = sorted(base64.b64encode(one).decode() for one in inputs)
    (CORPUS / f"{name}.b64").write_text("".join(f"{line}\n" for line in lines))


def choose(read: Callable[[bytes], None], inputs: Iterable[bytes]) -> list[bytes]:
    """The inputs that reach the most together, the one that adds the most first."""
    left = {one: reached(read, one) for one in inputs if len(one) <= LONGEST}
    chosen: list[bytes] = []
    seen: set[tuple[str, int, int]] = set()
    while left and len(chosen) < MOST:
        best = max(left, key=lambda one: (len(left[one] - seen), -len(one), one))
        new = left.pop(best) - seen
        if not new:
            break
        seen |= new
        chosen.append(best)
    return chosen


def reached(read: Callable[[bytes], None], data: bytes) -> Reached:
    """Which steps from one line of the product to the next are taken for an input."""
    found: set[tuple[str, int, int]] = set()
    last: dict[int, int] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(CODE):
            return None
        if event == "line":
            found.add((name, last.get(id(frame), 0), frame.f_lineno))
            last[id(frame)] = frame.f_lineno
        elif event == "call":
            last[id(frame)] = 0
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read(data)
    finally:
        sys.settrace(before)
    return frozenset(found)
