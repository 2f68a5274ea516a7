"""Exit codes. One table for the process, the last line and the journal, so that they agree."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class Exit(IntEnum):
    CONVERGED = 0
    FAILED = 1
    CHANGES = 2
    ROLLED_BACK = 3
    UNKNOWN = 4
    INVALID = 5
    REFUSED = 6
    LOCKED = 7
    INTERRUPTED = 130

    @property
    def outcome(self) -> str:
        """The word that the last line and the journal use."""
        return _OUTCOMES[self]


_OUTCOMES = {
    Exit.CONVERGED: "converged",
    Exit.FAILED: "failed",
    Exit.CHANGES: "changes found",
    Exit.ROLLED_BACK: "not proved, rolled back",
    Exit.UNKNOWN: "state unknown",
    Exit.INVALID: "invalid input",
    Exit.REFUSED: "hardware gate refused",
    Exit.LOCKED: "locked by another run",
    Exit.INTERRUPTED: "interrupted",
}

#: Worst first. "Unknown" is worse than any known state; "changes found" is hardly bad.
_WORST = (
    Exit.UNKNOWN,
    Exit.INTERRUPTED,
    Exit.FAILED,
    Exit.ROLLED_BACK,
    Exit.INVALID,
    Exit.REFUSED,
    Exit.LOCKED,
    Exit.CHANGES,
    Exit.CONVERGED,
)


def worst(codes: Iterable[Exit]) -> Exit:
    """The exit code of a run over several workspaces. No workspace at all is a failure."""
    return min(codes, key=_WORST.index, default=Exit.FAILED)
