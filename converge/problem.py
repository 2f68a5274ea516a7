"""Faults of the input: one sentence for each, with its place and what to do.

All readers of input (YAML files, host data, detected facts) report through ``Problem`` and
``InvalidInput``, so a user meets one form: ``file:line:column: path: what is wrong; what to do``.
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
    """One fault of the input, its place, and what to do about it.

    ``line`` is 0 where no file was read (host data of an inventory); ``file`` then names what was
    read. ``rank`` orders problems: a cause has a lower rank than a problem that may only follow
    from the cause.
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
    """The input cannot be used. ``problems`` has every reason, the most specific one first."""

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
    """Write a value for a message: on one line of about 80 characters, all of them visible."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = _visible(text)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1]}"


def _visible(text: str) -> str:
    """Write out each character that a terminal would obey or would not show."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def hidden_characters(text: str) -> Iterator[tuple[int, str]]:
    """Yield index and description of each character that a reader would not see as it is.

    These are controls (C0, DEL, C1), tabs, line feeds, line and paragraph separators, zero-width
    and bidirectional marks, byte order marks, surrogates and noncharacters.
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
    """Return the known word that ``word`` was probably meant to be, or the empty string.

    ``exact`` is for names of hardware: only a known word with the same digits is returned, since
    LPDDR3 is not LPDDR5.
    """
    digits = re.sub(r"\D", "", word)
    by_folded = {
        name.casefold(): name for name in known if not exact or re.sub(r"\D", "", name) == digits
    }
    cutoff = 0.8 if exact else 0.6
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[close[0]] if close else ""


def did_you_mean(word: str, known: Iterable[str], otherwise: str, *, exact: bool = False) -> str:
    """Write a hint that names the nearest known word, else ``otherwise``."""
    meant = nearest(word, known, exact=exact)
    return f"did you mean {meant}?" if meant else otherwise
