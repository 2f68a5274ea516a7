"""Strategies that draw one text where a list of choices would be drawn: each of its characters
stands for a choice. Hypothesis takes most of a test's time for each draw, however small."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
FIRST = 0xF0000  # the first character of a plane for private use, which is in no other text


def several(choices: Sequence[T], *, least: int = 0, most: int) -> st.SearchStrategy[list[T]]:
    """Lists of these choices; one that stands there twice is drawn twice as often.

    Hypothesis mostly takes one of the first 256 characters, so the order is mixed, always alike."""
    mixed = list(choices)
    Random(0).shuffle(mixed)
    alphabet = st.characters(
        min_codepoint=FIRST, max_codepoint=FIRST + len(mixed) - 1, categories=("Co",)
    )
    texts = st.text(alphabet, min_size=least, max_size=most)
    return texts.map(lambda text: [mixed[ord(one) - FIRST] for one in text])


def octets(alphabet: bytes, *, most: int) -> st.SearchStrategy[bytes]:
    """Bytes of this alphabet."""
    return st.text(alphabet.decode("latin-1"), max_size=most).map(lambda t: t.encode("latin-1"))
