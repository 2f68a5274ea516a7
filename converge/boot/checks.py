"""What a trial asks after the boot, on the workspace alone: probes and rules, as data.

A check that needs a reboot to be effective is judged on the controller at any other time. After the
boot nobody is there but the workspace, so what the answer has to be is written into the record
beforehand, in the three words that ``remote/prove.sh`` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from converge.proof.check import Ask, Context
from converge.setting import Setting

DISPLAY_S = 900  # until a desktop session is there, where the inventory says nothing


class Word(StrEnum):
    IS = "is"  # the answer is this text, blanks around and between words left out
    HAS = "has"  # one of its lines has this in it
    LINES = "lines"  # a line fits the first pattern, and each that does fits the second


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an answer has to be. ``text`` is one line; of LINES two patterns with a tab between."""

    word: Word
    text: str


@dataclass(frozen=True, kw_only=True)
class BootCheck:
    """One question after the boot. ``within_s``: how long another answer may come first."""

    name: str
    ask: Ask
    rules: tuple[Rule, ...]
    within_s: int = 60


AfterBoot = Callable[[Context, Setting], Iterable[BootCheck]]


def is_(text: str) -> Rule:
    return Rule(word=Word.IS, text=text)


def has(text: str) -> Rule:
    return Rule(word=Word.HAS, text=text)


def lines(which: str, what: str) -> Rule:
    """Extended regular expressions, POSIX."""
    return Rule(word=Word.LINES, text=f"{which}\t{what}")


def written(checks: Iterable[BootCheck]) -> str:
    """The file ``checks`` of a trial. Raises ValueError for a word with a line break."""
    return "".join(f"{line}\n" for check in checks for line in _lines(check))


def _lines(check: BootCheck) -> Iterator[str]:
    found = [f"check {check.name}", f"within {check.within_s}", f"limit {check.ask.limit}"]
    found += [f"word {word}" for word in (check.ask.probe, *check.ask.arguments)]
    found += [f"{rule.word} {rule.text}" for rule in check.rules]
    for line in found:
        if "\n" in line or "\0" in line:
            raise ValueError(f"{check.name}: a line break in {line!r}")
    return iter(found)


def display(*, within_s: int) -> BootCheck:
    """The desktop is up: KWin runs in a session of the user and composes."""
    return BootCheck(
        name="display",
        ask=Ask("kwin", machine=True),
        rules=(has("Compositing is active"),),
        within_s=within_s,
    )
