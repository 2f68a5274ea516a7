"""What is wrong with what was given: one sentence each, with its place and what to do.

Every border of the project (YAML files, host data, detected facts) reports through these two
nouns, so that a user meets one form: ``file:line:column: path: what is wrong; what to do``.
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_SHOWN = 50

#: Where a node is, from the root: keys of mappings and indexes of lists.
NodePath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column in a file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what was given, where it is, and what to do about it.

    ``line`` is 0 where there is no file to point into (host data of an inventory); ``file`` then
    names what was read. ``rank`` orders problems: a specific one has a lower rank than one that may
    only be its consequence.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str
    rank: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        parts = [where, self.path, self.message] if self.path else [where, self.message]
        text = ": ".join(parts)
        return _visible(f"{text}; {self.hint}" if self.hint else text)


class InvalidInput(Exception):
    """What was given cannot be used. ``problems`` has every reason, the best one first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        unique = dict.fromkeys(problems)
        self.problems: tuple[Problem, ...] = tuple(
            sorted(unique, key=lambda p: (p.rank, p.file, p.line, p.column, p.path))
        )
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:MAX_SHOWN]]
        more = len(self.problems) - MAX_SHOWN
        if more > 0:
            lines.append(f"and {more} more")
        return "\n".join(lines)


def count(number: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def show_path(path: NodePath) -> str:
    """Write a path as people do: ``build.tiers[0].jobs``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if re.fullmatch(r"[A-Za-z0-9_.-]{1,80}", step) else shown(step)
            text += f".{name}" if text else name
    return text


def shown(value: object) -> str:
    """Write a value for a message: short, on one line, nothing invisible in it."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = _visible(text)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1]}"


def _visible(text: str) -> str:
    """Write out what a terminal would obey or not show."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def hidden_characters(text: str) -> Iterator[tuple[int, str]]:
    """Yield index and description of each character that is not what it looks like.

    Controls (C0, DEL, C1), tabs, line and paragraph separators, zero-width and bidirectional
    marks, byte order marks, surrogates and noncharacters. A line feed is one of them as well.
    """
    for index, char in enumerate(text):
        if " " <= char <= "~":
            continue
        category = unicodedata.category(char)
        code = ord(char)
        if char == "\t":
            yield index, "a tab"
        elif category == "Cc":
            yield index, f"the control character U+{code:04X}"
        elif category in {"Cf", "Cs", "Zl", "Zp"}:
            yield index, f"the invisible character U+{code:04X}"
        elif code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
            yield index, f"the noncharacter U+{code:04X}"


def nearest(word: str, known: Iterable[str], *, exact: bool = False) -> str:
    """Return the known word that ``word`` was probably meant to be, or nothing.

    ``exact``: a name of hardware. Only a misspelt one is guessed, with the digits that were
    written: LPDDR3 is not LPDDR5.
    """
    digits = re.sub(r"\D", "", word)
    by_folded = {
        name.casefold(): name for name in known if not exact or re.sub(r"\D", "", name) == digits
    }
    cutoff = 0.8 if exact else 0.6
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[found[0]] if found else ""


def did_you_mean(word: str, known: Iterable[str], otherwise: str, *, exact: bool = False) -> str:
    """Write a hint that names the nearest known word, else ``otherwise``."""
    found = nearest(word, known, exact=exact)
    return f"did you mean {found}?" if found else otherwise
