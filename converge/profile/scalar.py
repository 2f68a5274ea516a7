"""Unquoted YAML scalars. In: the text. Out: a value, or why the text is refused.

YAML 1.1 and 1.2 disagree about what ``on``, ``0755``, ``12:30:45`` or ``1_000`` mean, and a JSON
reader may make ``3.0`` of ``3``. Such scalars are refused unless they are quoted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from converge.problem import shown

_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]*)\Z")
_INTEGER_LIMIT = 2**53  # exact in every JSON reader
_LONGEST = 40  # characters; longer ones are not shown to a person
_BOOLEAN_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false"})
_OTHER_NUMBERS = re.compile(
    r"""[-+]?(?:0[0-7_]+|0o[0-7]+|0x[0-9A-Fa-f_]+|0b[01_]+   # other bases
    |[0-9][0-9_]*                                            # signs, underscores, leading zeros
    |[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?)\Z                 # base 60""",
    re.VERBOSE,
)
_FLOAT = re.compile(
    r"[-+]?(?:\.inf|(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?)\Z|\.nan\Z",
    re.IGNORECASE,
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?\Z")


@dataclass(frozen=True, slots=True)
class RefusedScalar:
    """Why a plain scalar is not taken."""

    message: str
    hint: str


def plain(text: str) -> str | int | bool | RefusedScalar:
    """Read an unquoted scalar, or say why it would not mean the same to every reader."""
    value = _classify(text)
    if isinstance(value, RefusedScalar) and len(text) > _LONGEST:
        return RefusedScalar("a long unquoted value that reads as a number", "write a shorter one")
    return value


def _classify(text: str) -> str | int | bool | RefusedScalar:
    if text in {"true", "false"}:
        return text == "true"
    if _INTEGER.match(text):
        if len(text) <= 17 and abs(int(text)) < _INTEGER_LIMIT:
            return int(text)
        return RefusedScalar(f"the integer {shown(text)} is out of range", "write a smaller number")
    if text == "":
        return RefusedScalar("has no value", "write one, or remove the key")
    if text.lower() in {"~", "null"}:
        return RefusedScalar(f"{text} means nothing at all", "write a value, or remove the key")
    if text.lower() in _BOOLEAN_WORDS:
        return RefusedScalar(
            f"unquoted {text} is a truth value to some readers and text to others",
            f'write true or false, or "{text}" with quotes where the text is meant',
        )
    if _OTHER_NUMBERS.match(text):
        return RefusedScalar(
            f"unquoted {text} is a number that readers do not agree about{_guess(text)}",
            f'write a decimal integer, or "{text}" with quotes where the text is meant',
        )
    if _FLOAT.match(text):
        return RefusedScalar(
            f"unquoted {text} is a fraction{_guess(text)}, and no value here is one",
            f'write an integer, or "{text}" with quotes where the text is meant',
        )
    if _DATE.match(text):
        return RefusedScalar(
            f"unquoted {text} is a date to some readers and text to others",
            f'write "{text}" with quotes',
        )
    if text in {"=", "<<"}:
        return RefusedScalar(
            f"unquoted {text} has a special meaning", f'write "{text}" with quotes'
        )
    return text


def _guess(text: str) -> str:
    """Say what PyYAML would have made of ``text``."""
    import yaml

    if len(text) > _LONGEST:
        return ""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return ""
    return "" if isinstance(value, str) else f" (one reads {value})"
