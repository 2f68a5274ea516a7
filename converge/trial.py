"""A trial: a change that needs a reboot is booted once, proved after the boot, and kept or undone.

In: the record of a trial on the workspace. Out: where the trial stands, for a person and for a run.
``remote/trial.sh`` writes the record; it decides on the workspace without a controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

GLANCE = 6  # lines of a journal that a person sees at once
ASKS = "tasks/confirm.py"  # in the reason of a trial that waits for a person


class TrialState(StrEnum):
    """The state in a record. ``none``: the change was not tried; the reason says why."""

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
        """Whether the workspace still has to decide about the change."""
        return bool(MOVES[self]) and self is not TrialState.NONE

    @property
    def refuted(self) -> bool:
        """Whether the change was undone because its generation was not proved."""
        return self in (TrialState.UNDONE, TrialState.WENT_BACK)

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


#: The states that may follow each state. A power cut may come in any state.
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
    """The record of a trial.

    ``boot``: the boot id in which the trial was armed; ``number``: the generation that is tried;
    ``booted``: whether this generation runs now, as the workspace says; ``found``: one line for
    each check after the boot; ``journal``: lines from the journal of a failed boot: its errors,
    then a line ``--``, then its last lines."""

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
        """The first errors in the journal of a failed boot; without errors, its last lines."""
        at = self.journal.index("--") if "--" in self.journal else len(self.journal)
        return self.journal[:at][:GLANCE] or self.journal[at + 1 :][-GLANCE:]

    def stands(self, boot: str) -> str:
        """Where the trial stands, in one line. ``boot``: the id of the workspace's present boot."""
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
        """What a person can do now, or the empty string. ``boot`` as in ``stands``."""
        match self.state:
            case TrialState.BOOTING if self.boot == boot:
                return "restart the machine; tasks/rollback.py takes it back instead"
            case TrialState.BOOTING:
                return "wait some minutes for its end; tasks/rollback.py takes it back instead"
            case TrialState.PROVING if ASKS in self.reason:
                return "tasks/confirm.py keeps it; without an answer it is undone"
            case TrialState.PROVING:
                return "wait for the end of its proof; tasks/rollback.py takes it back instead"
            case TrialState.BROKEN:
                return "tasks/rollback.py does what is left"
            case TrialState.UNDONE | TrialState.WENT_BACK if self.booted:
                return "restart the machine: it comes up in the generation before"
        return ""


def parse(rest: str) -> tuple[str, Trial]:
    """A line of ``remote/read.sh`` as the directory of a transaction and its trial.

    The line is ``DIRECTORY BOOT NUMBER yes|no STATE REASON``. Raises ValueError for any other."""
    directory, boot, number, booted, word, *reason = rest.split(" ", 5)
    if booted not in ("yes", "no") or not number.isascii() or not number.isdigit():
        raise ValueError(f"a trial has no such line: {rest[:80]!r}")
    known = word in [state.value for state in TrialState]
    why = reason[0] if reason else ""
    return directory, Trial(
        state=TrialState(word) if known else TrialState.BROKEN,
        reason=why if known else "its record is damaged",
        boot="" if boot == "-" else boot,
        number=int(number[:9]),
        booted=booted == "yes",
    )


def parse_said(rest: str) -> tuple[str, str, str]:
    """A line of ``remote/read.sh`` as the directory of a transaction, ``found`` or ``journal``, and
    one line of the trial's file of that name. Raises ValueError for any other line."""
    directory, what, *text = rest.split(" ", 2)
    if what not in ("found", "journal"):
        raise ValueError(f"a trial has no such line: {rest[:80]!r}")
    return directory, what, text[0] if text else ""
