"""Read the lines of ``remote/detect.sh``: a mapping from key to the words of each line.

A word that does not have the expected form is read as "" or None, which means: not seen.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

Rows = Mapping[str, Sequence[Sequence[str]]]


def pairs(rows: Rows, key: str) -> dict[str, list[str]]:
    """Return the values of lines ``KEY NAME VALUE`` by their name."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for row in rows[key]:
        if len(row) >= 2:
            by_name[row[0]].append(row[1].strip())
    return by_name


def one(rows: Rows, key: str, form: str = r".+") -> str | None:
    """Return the first value of a key that matches ``form``, a regular expression, as a whole."""
    return next((row[0] for row in rows[key] if row and re.fullmatch(form, row[0])), None)


def field(row: Sequence[str], index: int) -> str:
    """Return a value of a line; "" where the line is shorter."""
    return row[index].strip() if index < len(row) else ""


def word(row: Sequence[str], index: int) -> str:
    """Return a name that the kernel gave (a device, a driver, a slot); "" for any other text."""
    text = field(row, index)
    return text if re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", text) else ""
