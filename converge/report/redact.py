"""The one place where what a report shows is made harmless: every record passes ``harmless`` first.

Two things are done to each text, wherever in a record it stands:

  secrets      what a name gives away (password, token, ...) and what looks like key material is
               replaced, since a report is made to be handed on
  invisibles   control characters, marks that turn the reading direction, halves of surrogate pairs
               are written out: they could hide text, and XML and UTF-8 cannot hold them all
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from converge.journal.journal import Record

HIDDEN = "(not shown)"
LONGEST = 4000  # characters of one text that are shown
EXAMINED = 200_000  # characters of one text that are looked at; the rest is left out
DEEPEST = 12  # levels of a record

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|code)|(^|[^a-z])pass($|[^a-z])|passwd|secret|token|credential|cookie"
    r"|api[-_. ]?key|(private|signing|access|encryption|ssh|host|session)[-_. ]?key|authorization"
    r"|(^|[^a-z])psk($|[^a-z])",
    re.IGNORECASE,
)
#: Fields whose text names what the other fields of the same record hold.
_NAMING = ("key", "name", "what", "variable", "entry")
_VALUES = frozenset(("before", "after", "old", "found", "wanted", "expected", "value", "reason"))

#: Key material that shows itself, and values behind a telling name inside a longer text.
_MATERIAL = (
    re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*-----|\Z)", re.DOTALL),
    re.compile(r"AGE-SECRET-KEY-1[A-Z0-9]+"),
    re.compile(r"\b(ghp|gho|ghs|ghu|github_pat|glpat|xox[abprs]|sk|pk|rk)[-_][A-Za-z0-9_-]{16,}"),
    re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)?"),
    re.compile(r"\bbearer\s+[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE),
    re.compile(r"\bbasic\s+[A-Za-z0-9+/]{16,}={0,2}", re.IGNORECASE),
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),
    re.compile(r"\$(1|2[aby]|5|6|y|7|argon2id?)\$[^\s:]{8,}"),
)
_ASSIGNMENT = re.compile(
    r"(?P<name>(?:pass(?:word|wd|phrase|code)|secret|token|credential|cookie"
    r"|api[-_]?key|private[-_]?key|access[-_]?key|authorization)[A-Za-z0-9_.-]{0,64}"
    r"[\"']?(?:\[\$[a-z]+\])?\s*(?:=|:)\s*)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)",
    re.IGNORECASE,
)


def harmless(record: Record) -> Record:
    """The record with every text made harmless, nested ones included."""
    found = _value(record, 0)
    assert isinstance(found, dict)
    return found


def text(value: str) -> str:
    """One text made harmless."""
    value = value[:EXAMINED]
    for pattern in _MATERIAL:
        value = pattern.sub(HIDDEN, value)
    value = _ASSIGNMENT.sub(lambda found: f"{found['name']}{HIDDEN}", value)
    if len(value) > LONGEST:
        value = f"{value[:LONGEST]}... ({len(value) - LONGEST} more characters)"
    return visible(value)


def visible(value: str) -> str:
    """A text without what a reader could not see; line ends and tabs stay."""
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\u{ord(c):04x}" for c in value)


def _value(value: object, depth: int) -> object:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        if depth >= DEEPEST:
            return {}
        named = any(
            isinstance(value.get(key), str) and _SECRET_NAME.search(str(value[key]))
            for key in _NAMING
        )
        return {
            text(str(key)): HIDDEN
            if (named and key in _VALUES) or (_SECRET_NAME.search(str(key)) and one is not None)
            else _value(one, depth + 1)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [] if depth >= DEEPEST else [_value(one, depth + 1) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    return text(str(value))
