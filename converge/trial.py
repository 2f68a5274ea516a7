"""A trial: a change that needs a reboot, booted once, proved there, kept or gone back from.

In: what the workspace's record says of one. Out: where it stands now, for a person and for a run.
The record is written by ``remote/trial.sh``, which decides on the workspace without a controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

GLANCE = 6  # lines of a journal that a person sees at once


class TrialState(StrEnum):
    """What a record says. ``none``: it was not tried, and why."""

    NONE = "none"
    BOOTING = "booting"
    PROVING = "proving"
    KEEPING = "keeping"
    KEPT = "kept"
    UNDOING = "undoing"
    UNDONE = "undone"
    WENT_BACK = "went-back"
    BROKEN = "broken"

    @property
    def open(self) -> bool:
        """Whether the workspace still has to decide about it."""
        return bool(MOVES[self]) and self is not TrialState.NONE

    @property
    def refuted(self) -> bool:
        """Whether the change was undone, since its generation did not prove itself."""
        return self in (TrialState.UNDONE, TrialState.WENT_BACK)

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


#: From each state those that may follow. A power cut can come in any of them.
MOVES: Mapping[TrialState, frozenset[TrialState]] = {
    TrialState.NONE: frozenset({TrialState.BOOTING, TrialState.UNDONE}),
    TrialState.BOOTING: frozenset(
        {TrialState.PROVING, TrialState.UNDOING, TrialState.UNDONE, TrialState.BROKEN}
    ),
    TrialState.PROVING: frozenset(
        {TrialState.PROVING, TrialState.KEEPING, TrialState.UNDOING, TrialState.UNDONE}
    ),
    TrialState.KEEPING: frozenset(
        {TrialState.KEEPING, TrialState.KEPT, TrialState.UNDOING, TrialState.BROKEN}
    ),
    TrialState.UNDOING: frozenset(
        {TrialState.UNDOING, TrialState.UNDONE, TrialState.WENT_BACK, TrialState.BROKEN}
    ),
    TrialState.KEPT: frozenset(),
    TrialState.UNDONE: frozenset(),
    TrialState.WENT_BACK: frozenset(),
    TrialState.BROKEN: frozenset(),
}
_MEANINGS: Mapping[TrialState, str] = {
    TrialState.NONE: "it was not tried; the new generation is the default, as without a trial",
    TrialState.BOOTING: "the next start boots the new generation once; the old one is the default",
    TrialState.PROVING: "the new generation runs and is being proved; the old one is the default",
    TrialState.KEEPING: "it was proved and is being made the default",
    TrialState.KEPT: "it was proved and is the default",
    TrialState.UNDOING: "the home and the files are going back",
    TrialState.UNDONE: "it was not proved; the old generation is the default, and so is all else",
    TrialState.WENT_BACK: "the machine came up in the old generation by itself; "
    "all else went back too",
    TrialState.BROKEN: "not all could be undone",
}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The record of one. ``boot``: the boot in which it was armed; ``number``: the generation that
    is tried; ``booted``: whether that one runs now, as the workspace sees it; ``found``: what each
    check found after the boot; ``journal``: of a boot that failed, what was wrong in it, then its
    last lines behind a line ``--``."""

    state: TrialState
    reason: str = ""
    boot: str = ""
    number: int = 0
    booted: bool = False
    found: tuple[str, ...] = ()
    journal: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        return self.state.open

    @property
    def worst(self) -> tuple[str, ...]:
        """Of the journal of a failed boot, what was wrong first; else its last lines."""
        at = self.journal.index("--") if "--" in self.journal else len(self.journal)
        return self.journal[:at][:GLANCE] or self.journal[at + 1 :][-GLANCE:]

    def stands(self, boot: str) -> str:
        """Where it stands, in one line; ``boot`` is the boot that the workspace runs in now."""
        generation = f"generation {self.number}" if self.number else "the new generation"
        if self.state is TrialState.BOOTING and self.boot == boot:
            return (
                f"booting: {generation} is booted once at the next start and proved there; "
                "until then, and if it fails, the generation before is the default"
            )
        if self.state is TrialState.BOOTING and not self.booted:
            return f"went back: {generation} did not come up; what it left is being looked at"
        if self.state is TrialState.BOOTING:
            return f"booting: {generation} runs, and its proof has not begun yet"
        word = "went back by itself" if self.state is TrialState.WENT_BACK else self.state.value
        return f"{word}: {self.reason or self.state.meaning}"

    def next_step(self, boot: str) -> str:
        """What a person does about it, or the empty string."""
        match self.state:
            case TrialState.BOOTING if self.boot == boot:
                return "restart the machine; tasks/rollback.py takes it back instead"
            case TrialState.PROVING:
                return "tasks/confirm.py keeps it; without an answer that it waits for it is undone"
            case TrialState.BROKEN:
                return "tasks/rollback.py does what is left"
            case TrialState.UNDONE | TrialState.WENT_BACK if self.booted:
                return "restart the machine: it comes up in the generation before"
        return ""


def parse(rest: str) -> tuple[str, Trial]:
    """A line of ``remote/read.sh``: the transaction's directory, and its trial.

    ``DIRECTORY BOOT NUMBER yes|no STATE REASON``; raises ValueError for anything else."""
    directory, boot, number, booted, word, *reason = rest.split(" ", 5)
    if booted not in ("yes", "no") or not number.isascii() or not number.isdigit():
        raise ValueError(f"a trial has no such line: {rest[:80]!r}")
    known = word in [one.value for one in TrialState]
    why = reason[0] if reason else ""
    return directory, Trial(
        state=TrialState(word) if known else TrialState.BROKEN,
        reason=why if known else "its record is damaged",
        boot="" if boot == "-" else boot,
        number=int(number[:9]),
        booted=booted == "yes",
    )


def parse_said(rest: str) -> tuple[str, str, str]:
    """A line of what lies beside it: the transaction's directory, ``found`` or ``journal``, text.

    Raises ValueError for anything else."""
    directory, what, *text = rest.split(" ", 2)
    if what not in ("found", "journal"):
        raise ValueError(f"a trial has no such line: {rest[:80]!r}")
    return directory, what, text[0] if text else ""
