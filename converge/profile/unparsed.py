"""Explain to a person why a text is not YAML: a mark of git, a colon, a quote, the indentation.

In: the lines of the text, and the place where the parser stopped. Out: the place of the mistake,
what is wrong, what to do. The parser often stops on the line below the mistake.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from converge.problem import Place

#: The message in place of the parser's "unexpected end of stream".
UNCLOSED = "a quote is not closed"
_QUOTE = "write one at each end of the value"
_GIT = re.compile(r"(?:<{7}|>{7})(?: |$)|={7}$")
#: ``KEY: VALUE``, ``KEY:``, ``- ...``, and lines that continue the line above.
_FINE = re.compile(r"""\s*(?:- |-$|[\w."'-]+ *:(?: |$)|[\]\[{}"'#])""")
_SECOND = re.compile(r"\s*(?:- )?[\w.-]+: +[^\"'{\[]*?:(?= |$)")
_GLUED = re.compile(r"\s*[\w.-]+:\S")


def explained(lines: Sequence[str], stopped: Place, said: str) -> tuple[Place, str, str]:
    """Place, fault and remedy. ``stopped``: the place where the parser stopped; ``said``: its
    message."""
    for number, line in enumerate(lines, start=1):
        if _GIT.match(line):
            what = "is a mark that git left in a conflict"
            return Place(number, 1), what, "keep one of the two sides, and remove the three marks"
    if said == UNCLOSED:
        return stopped, said, _QUOTE
    at = min(stopped.line, len(lines)) or 1
    for number in (at - 1, at):
        line = _code(lines[number - 1]) if 0 < number <= len(lines) else ""
        for column, char in enumerate(line, start=1):
            if char != " " and unicodedata.category(char) == "Zs":
                what = f"U+{ord(char):04X} looks like a space and is none"
                return Place(number, column), what, "write a space in its place"
        if not line.strip() or _FINE.match(line):
            continue
        indent = len(line) - len(line.lstrip())
        if _GLUED.match(line):
            what = "has no space behind the colon"
        else:
            what = "has no colon between key and value"
        return Place(number, indent + 1), what, "write KEY: VALUE"
    above = next((n for n in range(at - 1, 0, -1) if _code(lines[n - 1]).strip()), 0)
    for number in (above, at):
        line = _code(lines[number - 1]) if 0 < number <= len(lines) else ""
        if any(line.count(mark) % 2 for mark in "\"'"):
            return Place(number, 1), UNCLOSED, _QUOTE
    if above and lines:
        own, before = _indent(lines[at - 1]), _indent(lines[above - 1])
        if second := _SECOND.match(_code(lines[at - 1])):
            what = "has a second colon, in its value"
            return Place(at, second.end()), what, "write the value with a quote at each end"
        nested = own > before and _code(lines[above - 1]).rstrip().endswith((":", "-"))
        if own != before and not nested:
            what = f"is indented by {own}, and the line above by {before}"
            do = (
                "keys of one mapping begin in the same column; one with lines below it has no value"
            )
            return Place(at, own + 1), what, do
    return stopped, f"is not YAML: {said}", "look at this line and the one above it"


def _code(line: str) -> str:
    """The line without its comment."""
    return re.sub(r"(?:^|\s)#.*", "", line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
