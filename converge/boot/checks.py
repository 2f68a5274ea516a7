"""What a trial asks after the boot: probes, and rules for their answers, as data.

The controller judges all other answers. After the boot of a trial the workspace is alone, so the
rules are written into the record beforehand, in the three words that ``remote/prove.sh`` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from converge.proof.check import Ask, Context
from converge.setting import Setting


class Word(StrEnum):
    IS = "is"  # the answer is this text, apart from blanks
    HAS = "has"  # a line of the answer contains this text
    LINES = "lines"  # some line fits the first pattern, and every such line fits the second


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an answer has to be. ``text`` is one line; for LINES, two patterns and a tab between."""

    word: Word
    text: str


@dataclass(frozen=True, kw_only=True)
class BootCheck:
    """One question after the boot; a wrong answer is asked again for ``within_s`` seconds."""

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
    """Both arguments are extended regular expressions of POSIX."""
    return Rule(word=Word.LINES, text=f"{which}\t{what}")


def written(checks: Iterable[BootCheck]) -> str:
    """The file ``checks`` of a trial. Raises ValueError for a word with a line break."""
    return "".join(f"{line}\n" for check in checks for line in _lines(check))


def _lines(check: BootCheck) -> Iterator[str]:
    text = [f"check {check.name}", f"within {check.within_s}", f"limit {check.ask.limit}"]
    text += [f"word {word}" for word in (check.ask.probe, *check.ask.arguments)]
    text += [f"{rule.word} {rule.text}" for rule in check.rules]
    for line in text:
        if "\n" in line or "\0" in line:
            raise ValueError(f"{check.name}: a line break in {line!r}")
    return iter(text)


def display(*, within_s: int) -> BootCheck:
    """The desktop is up: KWin runs in a session of the user and composes."""
    return BootCheck(
        name="display",
        ask=Ask("kwin", machine=True),
        rules=(has("Compositing is active"),),
        within_s=within_s,
    )
