"""How a run ends: one table of verb and outcome, with the word, the exit code and a sentence.

The last line, the journal, the report, JUnit and the exit code all read this table, and
``docs/exit-codes.md`` is generated from it. No word claims more than was looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Exit(IntEnum):
    """What a script reads. 2 is only ever a dry run that found changes."""

    DONE = 0
    FAILED = 1
    CHANGES = 2
    ROLLED_BACK = 3
    UNKNOWN = 4
    INVALID = 5
    REFUSED = 6
    LOCKED = 7
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """What the code means, whatever the verb."""
        return _MEANINGS[self]

    @property
    def outcome(self) -> str:
        """The word of a run of which only the exit code is known."""
        return Outcome.of(self).value


class Outcome(StrEnum):
    """The word that the last line, the journal and the report use.

    Among the outcomes of one exit code the worse ones come first."""

    DONE = "done"
    NOWHERE = "nothing applies here"
    PENDING = "applied, some pending"
    ON_TRIAL = "applied, on trial"
    PROVED = "applied and proved"
    UNSEEN = "applied, no setting to look at"
    AWAITED = "effective, some pending"
    EFFECTIVE = "effective"
    AS_DECLARED = "as declared"
    UNDONE = "undone"
    NOTHING_LEFT = "nothing to take back"
    REMOVED = "removed"
    MEASURED = "measured"
    TO_MEASURE = "would be measured"
    ANSWERED = "answered"
    WRITTEN = "profile written"
    SHOWN = "profile shown"
    EXPLAINED = "explained"
    UNCHANGED = "nothing to change"
    FAILED = "failed"
    MISSING = "nothing applies, but should"
    NOT_STARTED = "not started"
    INEFFECTIVE = "not effective"
    DIFFERS = "differs"
    LEFT = "undone in part"
    CHANGES = "changes found"
    ROLLED_BACK = "not proved, rolled back"
    UNKNOWN = "state unknown"
    ROLLBACK_FAILED = "rollback failed"
    UNPROVED = "applied, not all known"
    NOT_KNOWN = "not all known"
    INVALID = "invalid input"
    REFUSED = "hardware gate refused"
    LOCKED = "locked by another run"
    INTERRUPTED = "interrupted"
    DECLINED = "declined"

    @property
    def exit(self) -> Exit:
        return _TABLE[self].exit

    @property
    def sentence(self) -> str:
        """What the word says, for a person."""
        return _TABLE[self].sentence

    @property
    def verbs(self) -> tuple[str, ...]:
        """The commands that can end with the word."""
        return _TABLE[self].verbs

    @classmethod
    def of(cls, code: Exit | Outcome) -> Outcome:
        """The outcome of a run of which perhaps only the exit code is known."""
        return code if isinstance(code, Outcome) else cls[code.name]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. A verb is the command that a person runs: ``deploy --dry``."""

    exit: Exit
    verbs: tuple[str, ...]
    sentence: str


VERBS = (
    "deploy",
    "deploy --dry",
    "verify",
    "status",
    "why",
    "detect",
    "rollback",
    "rollback --dry",
    "remove",
    "remove --dry",
    "measure",
    "measure --dry",
    "confirm",
    "confirm --dry",
)
_APPLY = ("deploy",)
_DEPLOY = ("deploy", "deploy --dry")
_CHANGE = ("deploy", "rollback", "remove", "measure")
_LOOK = ("verify", "status")

_TABLE = {
    Outcome.DONE: Row(Exit.DONE, (), "the command did what it says"),
    Outcome.NOWHERE: Row(
        Exit.DONE,
        (*_DEPLOY, *_LOOK),
        "no setting of the plan can be looked at on this machine, and no absent layer was named",
    ),
    Outcome.PENDING: Row(
        Exit.DONE,
        _APPLY,
        "kept: what can be looked at now is effective; the rest is named, with what it waits for",
    ),
    Outcome.ON_TRIAL: Row(
        Exit.DONE,
        ("deploy", "status"),
        "kept for now; the next start boots it once, and all of it goes back unless it is proved",
    ),
    Outcome.PROVED: Row(
        Exit.DONE, _APPLY, "kept: every setting in force that applies here was found effective"
    ),
    Outcome.UNSEEN: Row(
        Exit.DONE, _APPLY, "kept: no setting in force can be looked at on this machine"
    ),
    Outcome.AWAITED: Row(
        Exit.DONE,
        ("verify",),
        "what can be looked at now is effective; the rest is named, with what it waits for",
    ),
    Outcome.EFFECTIVE: Row(
        Exit.DONE, ("verify",), "every setting in force that applies here was found effective"
    ),
    Outcome.AS_DECLARED: Row(
        Exit.DONE, ("status", "detect"), "what could be seen is what is declared"
    ),
    Outcome.UNDONE: Row(
        Exit.DONE, ("rollback",), "all of it, or the named part, is as it was before that run"
    ),
    Outcome.NOTHING_LEFT: Row(
        Exit.DONE,
        ("rollback", "rollback --dry"),
        "no run is in force there, or nothing of what was named; nothing was done",
    ),
    Outcome.REMOVED: Row(
        Exit.DONE, ("remove",), "nothing of this product is left on the workspace"
    ),
    Outcome.MEASURED: Row(
        Exit.DONE, ("measure",), "the memory in use, and so many of the claims, have a figure now"
    ),
    Outcome.TO_MEASURE: Row(Exit.DONE, ("measure --dry",), "what a run would measure was shown"),
    Outcome.ANSWERED: Row(
        Exit.DONE, ("confirm",), "the trial after the reboot has its answer, and ended as it says"
    ),
    Outcome.WRITTEN: Row(Exit.DONE, ("detect",), "a profile of the machine was written"),
    Outcome.SHOWN: Row(
        Exit.DONE, ("detect",), "a profile of the machine was shown; nothing was written"
    ),
    Outcome.EXPLAINED: Row(Exit.DONE, ("why",), "what is known of the setting was shown"),
    Outcome.UNCHANGED: Row(
        Exit.DONE,
        (*_DEPLOY, "remove", "remove --dry", "confirm", "confirm --dry"),
        "what is there is what is called for; nothing was done",
    ),
    Outcome.FAILED: Row(Exit.FAILED, VERBS, "a step failed, and nothing after it was tried"),
    Outcome.MISSING: Row(
        Exit.FAILED,
        (*_DEPLOY, *_LOOK),
        "no layer is there, though one was named or applied before; nothing was done",
    ),
    Outcome.NOT_STARTED: Row(
        Exit.FAILED, _APPLY, "its canary did not end well, so nothing was changed"
    ),
    Outcome.INEFFECTIVE: Row(
        Exit.FAILED,
        (*_APPLY, *_LOOK),
        "a setting that is wanted has not its effect; what a run changed is kept",
    ),
    Outcome.DIFFERS: Row(
        Exit.FAILED, ("status", "detect"), "what is there is not what is declared; it is named"
    ),
    Outcome.LEFT: Row(
        Exit.FAILED,
        ("rollback", "remove"),
        "undone but for what somebody else changed since; it is named",
    ),
    Outcome.CHANGES: Row(
        Exit.CHANGES,
        ("deploy --dry", "rollback --dry", "remove --dry", "confirm --dry"),
        "a dry run found changes; none was made",
    ),
    Outcome.ROLLED_BACK: Row(
        Exit.ROLLED_BACK, (*_APPLY, "confirm"), "the change did not prove itself and was undone"
    ),
    Outcome.UNKNOWN: Row(
        Exit.UNKNOWN,
        (*_CHANGE, "confirm"),
        "what the workspace holds now is not known; the next run reads it and goes on",
    ),
    Outcome.ROLLBACK_FAILED: Row(
        Exit.UNKNOWN,
        ("deploy", "rollback", "remove"),
        "what is not undone is named, with what to do by hand; tasks/rollback.py then goes on",
    ),
    Outcome.UNPROVED: Row(
        Exit.UNKNOWN, _APPLY, "kept, but a setting in force could not be looked at; it is named"
    ),
    Outcome.NOT_KNOWN: Row(
        Exit.UNKNOWN, _LOOK, "something in force could not be looked at; it is named"
    ),
    Outcome.INVALID: Row(Exit.INVALID, VERBS, "what was given is not valid; nothing was touched"),
    Outcome.REFUSED: Row(
        Exit.REFUSED, _DEPLOY, "the machine is not what its profile says; nothing was touched"
    ),
    Outcome.LOCKED: Row(
        Exit.LOCKED,
        (*_CHANGE, "remove --dry"),
        "another run holds the workspace, or was faster; nothing was touched",
    ),
    Outcome.INTERRUPTED: Row(Exit.INTERRUPTED, VERBS, "stopped by a signal; the next run goes on"),
    Outcome.DECLINED: Row(
        Exit.INTERRUPTED,
        ("deploy", "rollback", "remove", "confirm"),
        "the person said no; nothing was changed",
    ),
}

_MEANINGS = {
    Exit.DONE: "done",
    Exit.FAILED: "failed, or not as it should be",
    Exit.CHANGES: "a dry run found changes",
    Exit.ROLLED_BACK: "not proved, rolled back",
    Exit.UNKNOWN: "not all is known, or a rollback failed",
    Exit.INVALID: "invalid input, nothing touched",
    Exit.REFUSED: "hardware gate refused",
    Exit.LOCKED: "locked by another run",
    Exit.INTERRUPTED: "interrupted, or declined",
}

#: Outcomes of a run whose changes stayed in force.
_KEPT = (
    *(Outcome.PROVED, Outcome.ON_TRIAL, Outcome.PENDING, Outcome.UNSEEN),
    *(Outcome.UNPROVED, Outcome.INEFFECTIVE, Outcome.DONE),
)

#: Words in journals older than this table.
FORMER = {"converged": Outcome.DONE}

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
    Exit.DONE,
)
_ORDER = tuple(Outcome)


def known(word: str) -> Outcome | None:
    """The outcome for a word of a journal, also of an earlier version; None for an unknown word."""
    try:
        return FORMER.get(word) or Outcome(word)
    except ValueError:
        return None


def well(word: str) -> bool:
    """Whether a word of a journal says that the command did what it was for."""
    outcome = known(word)
    return outcome is not None and outcome.exit is Exit.DONE


def kept(word: str) -> bool:
    """Whether a word of a journal says that the planned changes stayed in force."""
    return known(word) in _KEPT


def worst(codes: Iterable[Exit]) -> Exit:
    """The exit code of a run over several workspaces. No workspace at all is a failure."""
    return min(codes, key=_WORST.index, default=Exit.FAILED)


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a run over several workspaces: the worst of them."""
    return min(
        outcomes,
        key=lambda outcome: (_WORST.index(outcome.exit), _ORDER.index(outcome)),
        default=Outcome.FAILED,
    )
