"""Any JSON value from a random generator: a hundred in the time in which Hypothesis draws one."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

INTEGERS = (0, 1, -1, 2, 7, 10, 255, 2**31, -(2**63), 2**53 + 1, 10**12, 10**12 + 1, 10**400)
FLOATS = (0.0, -0.0, 0.5, -1.5, 1e12, 1e13, 1e300, -1e300, 5e-324, float("inf"), -float("inf"))
TEXTS = (
    *("", " ", "x", "0", "true", "null", "NaN", "a: b", "a, b", "a\tb", "a\r\nb\n", "\x00\x1b[31m"),
    *("é", "\u00a0", "\u2028", "\u202e", "\uffff", "\U0001f600", "%s{0}"),
    *("<b a='1'>&amp;", "\\", '"', "'", "password", "token=hunter2", "-----BEGIN PRIVATE KEY-----"),
)
#: Ranges that characters are taken from: ASCII, Latin, all of the first plane, all.
_PLANES = (0x7F, 0x24F, 0xFFFF, 0x10FFFF)


def text(random: Random, words: Sequence[str] = ()) -> str:
    """A text without surrogates; often one of ``words``, or one that readers stumble over."""
    match random.randrange(4):
        case 0 if words:
            return random.choice(words)
        case 0 | 1:
            return random.choice(TEXTS)
        case 2:
            return "".join(random.choices(TEXTS, k=random.randrange(4)))
        case _:
            highest = random.choice(_PLANES)
            made = (chr(random.randint(0, highest)) for _ in range(random.randrange(9)))
            return "".join(one for one in made if not "\ud800" <= one <= "\udfff")


def leaf(random: Random, words: Sequence[str] = ()) -> object:
    match random.randrange(8):
        case 0:
            return random.choice((None, True, False))
        case 1:
            return random.choice(INTEGERS)
        case 2:
            return random.getrandbits(random.choice((4, 8, 16, 40, 64))) - random.choice((0, 8))
        case 3:
            return random.choice((*FLOATS, float("nan")))
        case 4:
            return random.uniform(-1, 1) * 10.0 ** random.randint(-20, 20)
        case _:
            return text(random, words)


def value(random: Random, words: Sequence[str] = (), depth: int = 4) -> object:
    """A value with lists and mappings of at most ``depth`` levels. ``words``: texts and names of
    fields that mean something to the reader."""
    size = random.choice((0, 0, 1, 1, 2, 3, 5))
    match random.randrange(4) if depth else 0:
        case 1:
            return [value(random, words, depth - 1) for _ in range(size)]
        case 2:
            return fields(random, words, depth - 1, size)
        case 3 if size > 1:  # of one type, as lists mostly are
            return [fields(random, words, depth - 1, size) for _ in range(random.randrange(3))]
        case _:
            return leaf(random, words)


def fields(
    random: Random, words: Sequence[str] = (), depth: int = 4, size: int = 5
) -> dict[str, object]:
    return {text(random, words): value(random, words, depth) for _ in range(size)}
