"""What a regular expression shows of every text that it matches, without making such texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import product
from re import _constants as op
from re import _parser as parser
from typing import Any

GAP = "\0"  # in the text of a way: any characters may be here, or none
MOST = 5000  # ways; an expression with more is left undecided


class Undecided(Exception):
    """The expression has too many ways."""


def each_match_has(pattern: re.Pattern[str], words: Sequence[str], *, folds: bool = False) -> bool:
    """Whether one of ``words`` is shown to be in every match. False: not shown. ``folds``: the
    expression ignores case, the words are in lower case, as are the matches, which are ASCII.

    A way is one choice for each branch of the expression, as the text that then matches. A way with
    one of the words in it is left out; if none is left, each match has one."""
    if folds != bool(pattern.flags & re.IGNORECASE):
        return False
    try:
        return not _Ways(words, folds).of(parser.parse(pattern.pattern, pattern.flags))
    except Undecided:
        return False


class _Ways:
    def __init__(self, words: Sequence[str], folds: bool) -> None:
        self.words, self.folds = words, folds

    def of(self, tree: Iterable[Any]) -> set[str]:
        """The ways of a sequence that have none of the words."""
        ways = {""}
        for kind, given in tree:
            ways = self.left(one + more for one, more in product(ways, self.item(kind, given)))
        return ways

    def left(self, ways: Iterable[str]) -> set[str]:
        found = set()
        for way in ways:
            if not any(word in way for word in self.words):
                first, gap, rest = way.partition(GAP)  # what is between gaps meets nothing more
                found.add(first + gap + rest.rpartition(GAP)[2])
            if len(found) > MOST:
                raise Undecided
        return found

    def item(self, kind: Any, given: Any) -> set[str]:
        if kind is op.LITERAL:
            return {chr(given).lower() if self.folds else chr(given)}
        if kind is op.IN and len(given) <= 3 and all(one[0] is op.LITERAL for one in given):
            return set().union(*(self.item(*one) for one in given))
        if kind is op.BRANCH:
            return self.left(way for tree in given[1] for way in self.of(tree))
        if kind is op.SUBPATTERN:
            _, added, removed, tree = given
            return {GAP} if added or removed else self.of(tree)  # (?i:...): in any case
        if kind is op.ATOMIC_GROUP:
            return self.of(given)
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            least, most, tree = given
            once = self.of(tree)
            if least:
                return once if most == 1 else self.left(way + GAP for way in once)
            return {"", *once} if most == 1 else {"", GAP}
        if kind in (op.AT, op.ASSERT, op.ASSERT_NOT):
            return {""}
        return {GAP}
