"""What a built layer changes. In: the answers of Nix and of the new system. Out: lines for a
``DifferenceRecord``: "package TEXT", "unit TEXT" and "unknown TEXT"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from converge.text.limits import frame
from converge.text.reason import reason_of

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: A line that every dry-activate prints; it names no unit.
_NO_UNIT = "would activate the configuration"


def packages(answer: str) -> Iterator[str]:
    """The lines for the answer of ``nix store diff-closures``, a frame."""
    code, output, errors = _frame(answer)
    if code == 0:
        for line in _lines(output):
            yield f"package {line}"
    else:
        yield f"unknown {reason_of(errors) or f'exit {code}'}"


def units(answer: str) -> Iterator[str]:
    """The lines for the answer of ``switch-to-configuration dry-activate``, a frame whose output
    has the errors too."""
    code, output, _ = _frame(answer)
    if code == 0:
        for line in _lines(output):
            if not line.startswith(_NO_UNIT):
                yield f"unit {line}"
    else:
        yield f"unknown {next(iter(_lines(output)), f'exit {code}')}"


def _frame(answer: str) -> tuple[int, str, str]:
    try:
        code, output, errors = frame(answer)
    except ValueError:
        return -1, "the answer is damaged", "the answer is damaged"
    return code, output.decode(errors="replace"), errors


def _lines(text: str) -> list[str]:
    return [line for line in _COLOUR.sub("", text).splitlines() if line]
