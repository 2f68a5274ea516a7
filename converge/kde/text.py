"""One line of a KDE config file, read and written exactly as KConfig does it.

In: raw lines (bytes, as they stand in the file) and declared names and values (str).
Out: what KConfig makes of the line (``HeaderLine``, ``EntryLine``, ``Skipped``), the bytes that
KConfig would print for a name or value, and ``KConfigError`` for what it could not read back.

Source of every rule: KDE/kconfig, ``src/core/kconfigini.cpp`` (``parseConfig``,
``printableToString``, ``stringToPrintable``); where releases differ, the comment says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from io import BytesIO

#: KConfig's name for the group of the entries above the first header.
ROOT = "<default>"
#: What KConfig puts between the parts of a nested group, ``[A][B]``.
SEPARATOR = "\x1d"

_SPACE = b" \t\r\n\v\f"  # trimmed by Qt; KF5 and KF6 before 6.10 do not trim \v and \f
_ESCAPE = re.compile(rb"\\(x..|x.?\Z|.|\Z)", re.DOTALL)
_NAMED = {b"s": b" ", b"t": b"\t", b"n": b"\n", b"r": b"\r", b"\\": b"\\"}
_KEPT = {b",": b"\\,", b";": b"\\;"}  # separators inside a list: the reader of the list unescapes
_PRINTED = {" ": "\\s", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\"}
_HEADER = re.compile(rb"(?:\[[^]]*\])+(?!\[)")
_SPELLED = re.compile(r"(?P<key>.*?)(?:\[\$(?P<options>[^]]*)\])?", re.DOTALL)


class KConfigError(Exception):
    """An entry cannot be declared, or cannot be brought in force in this file; ``line``: why."""

    def __init__(self, what: str, *, line: int | None = None, name: str = "", do: str = "") -> None:
        place = ":".join(str(part) for part in (name, line) if part)
        if line and not name:
            place = f"line {line}"
        super().__init__("".join((place and f"{place}: ", what, do and f"; {do}")))
        self.what = what
        self.do = do
        self.line = line
        self.name = name

    def named(self, name: str) -> KConfigError:
        """The same error with the name of its file."""
        return KConfigError(self.what, line=self.line, name=name, do=self.do)


@dataclass(frozen=True)
class HeaderLine:
    """``[A][B]``: ``group`` is the name in KConfig's inner form, its parts joined by SEPARATOR."""

    group: bytes
    locked: bool  # ``[A][$i]``
    locks_file: bool  # ``[$i]`` alone: every later header is locked


@dataclass(frozen=True)
class EntryLine:
    """``key[locale][$options]=value``, decoded."""

    key: bytes
    options: str  # of "i" locked, "e" expands variables, "d" deleted; in this order
    value: bytes
    locale: bytes | None = None
    broken: bool = False  # KF5 and KF6 read different values; ``value`` is the raw text
    rival: bytes | None = None  # the other key that KF5 and KF6 before 6.14 read from this line
    error: bool = False  # KF6 counts the line as an error


class Skipped(Enum):
    """A line that KConfig passes over."""

    BLANK = "blank or comment"
    HEADER = "invalid group header"
    KEYLESS = "entry without a key"
    INVALID = "invalid entry"

    @property
    def counts(self) -> bool:
        """Whether KF6 counts the line as an error: since 6.21 it stops reading after a hundred."""
        return self is Skipped.INVALID


@dataclass(frozen=True)
class Placed:
    """One line of a file, with the group and the lock that hold for the line."""

    number: int  # from 1
    raw: bytes  # with its ending
    read: HeaderLine | EntryLine | Skipped
    group: bytes  # in KConfig's inner form
    locked: bool  # an entry that its own options, its header or its file locks


def read_file(text: bytes) -> Iterator[Placed]:
    """Every line of a file. A line ends at a newline and nowhere else."""
    group = ROOT.encode()
    header_locked = file_locked = False
    for number, line in enumerate(BytesIO(text), start=1):
        read = read_line(line)
        locked = False
        if isinstance(read, HeaderLine):
            group, header_locked = read.group, read.locked or file_locked
            file_locked = file_locked or read.locks_file
        elif isinstance(read, EntryLine):
            locked = header_locked or "i" in read.options
        elif read is Skipped.HEADER:  # the group goes on, but not its lock
            header_locked = file_locked
        yield Placed(number, line, read, group, locked)


def decode(raw: bytes) -> tuple[bytes, bool]:
    """The bytes that a printed name or value stands for, and whether all releases of KDE agree.

    They disagree about an unknown escape: KF5 keeps the backslash and drops the letter (returned
    here), KF6 leaves the rest of the text as it is and counts an error.
    """
    if b"\\" not in raw:
        return raw, True
    sound = True

    def plain(match: re.Match[bytes]) -> bytes:
        nonlocal sound
        code = match[1]
        if code.startswith(b"x"):
            return bytes([int(code[1:], 16)]) if re.fullmatch(rb"x[0-9a-fA-F]{2}", code) else b"x"
        if not code:  # a lone backslash at the end vanishes
            return b""
        if (known := _NAMED.get(code) or _KEPT.get(code)) is None:
            sound = False
        return known or b"\\"

    # KConfig trims a text with an escape, and no other: `[ a ]` keeps its spaces, `[ a\x5d ]` does
    # not.
    return _ESCAPE.sub(plain, raw.strip(_SPACE)), sound


def _printed(text: str, special: str) -> str:
    """``text`` with control characters and ``special`` in their escaped form."""
    escaped = rf"[\x00-\x1f\x7f\\{special}]"
    return re.sub(escaped, lambda m: _PRINTED.get(m[0]) or f"\\x{ord(m[0]):02x}", text)


def inner_name(group: tuple[str, ...]) -> bytes:
    """The name of a group in KConfig's inner form."""
    return SEPARATOR.join(group).encode()


def print_group(parts: tuple[str, ...]) -> bytes:
    """The header line of a group, without its newline."""
    *outer, last = (_printed(part, r"\[\]") for part in parts)
    if re.fullmatch(r"\$[a-z]{0,9}", last):  # `[$i]` would be a lock
        last = f"\\x24{last[1:]}"
    return "".join(f"[{part}]" for part in (*outer, last)).encode()


def print_entry(key: str, options: str, value: str) -> bytes:
    """The line of an entry, without its newline, as KConfig spells it."""
    line = _edges(_printed(key, r"\[\]="))
    if options:
        line += f"[${options}]"
    if "d" not in options:
        line += f"={_edges(_printed(value, ''))}"
    return line.encode()


def _edges(text: str) -> str:
    """``text`` with its first and last space escaped, so that they survive trimming."""
    return re.sub(r"\A | \Z", r"\\s", text)


def read_line(line: bytes) -> HeaderLine | EntryLine | Skipped:
    """What KConfig makes of one line of a file."""
    line = line.strip(_SPACE)
    if not line or line.startswith(b"#"):
        return Skipped.BLANK
    return _read_header(line) if line.startswith(b"[") else _read_entry(line)


def _read_header(line: bytes) -> HeaderLine | Skipped:
    match = _HEADER.match(line)
    if match is None:
        return Skipped.HEADER
    parts = re.findall(rb"\[([^]]*)\]", match[0])
    lock = parts[-1] == b"$i" and match[0] == line  # text behind the last ] takes the lock away
    group = b""
    for part in parts[: len(parts) - lock]:
        group += SEPARATOR.encode() * bool(group) + _name(part)  # leading empty parts do not count
    return HeaderLine(group, locked=lock and bool(group), locks_file=lock and not group)


def _read_entry(line: bytes) -> EntryLine | Skipped:
    raw, equals, value = line.partition(b"=")
    raw = raw.strip(_SPACE)
    if not raw:
        return Skipped.KEYLESS
    options: set[str] = set()
    locale = None
    while (start := raw.rfind(b"[")) >= 0:  # suffixes are taken off from the right
        end = raw.find(b"]", start)
        if end < 0:
            return Skipped.INVALID
        suffix, raw = raw[start + 1 : end], raw[:start]  # and what follows the ] is dropped
        if suffix.startswith(b"$"):
            flags, deleted, _ = suffix[1:].decode("latin-1").partition("d")
            options |= {*flags} & {"i", "e"}
            if deleted:
                # KConfig reads no further: `[$di]` locks nothing, and a locale in front of `[$d]`
                # is part of the key.
                return EntryLine(_name(raw), _ordered(options - {"e"} | {"d"}), b"")
        elif locale is not None:
            return Skipped.INVALID
        else:
            locale = suffix
    if not equals:
        return Skipped.INVALID
    key = _name(raw)
    value = value.strip(_SPACE)
    text, sound = decode(value)
    broken = not sound or b"\r" in value
    return EntryLine(
        key=key,
        options=_ordered(options),
        value=value if broken else text,
        locale=locale,
        broken=broken,
        rival=_rival(raw, key),
        error=not sound,
    )


def _name(raw: bytes) -> bytes:
    """The name printed as ``raw``. Where KDE releases disagree, a name that is not UTF-8, so that
    no declared name can equal it."""
    name, sound = decode(raw)
    return name if sound else b"\xff" + raw


def _rival(raw: bytes, key: bytes) -> bytes | None:
    """The key that KF5 reads instead, or None: KF5 drops a carriage return and decodes twice."""
    other = decode(decode(raw.replace(b"\r", b""))[0])[0]
    return None if other == key else other


def _ordered(options: set[str]) -> str:
    return "".join(option for option in "ied" if option in options)


def read_spelling(spelled: str) -> tuple[str, str]:
    """(key, options) of a declared key such as ``exclude folders[$e]``. Raises KConfigError."""
    match = _SPELLED.fullmatch(spelled)
    assert match is not None  # both parts may be empty
    key, options = match["key"], match["options"]
    if options is not None and ({*options} not in map(set, ("i", "e", "ie", "d"))):
        raise KConfigError(
            f"key {spelled!r}: [${options}] is not one of KConfig's options",
            do="[$e] expands variables, [$i] locks, [$ie] does both, [$d] deletes",
        )
    _check_name("key", key)
    if not key:
        raise KConfigError(f"key {spelled!r} has no name")
    if key.endswith("]") and "[" in key:
        raise KConfigError(
            f"key {spelled!r} names a translation",
            do="only the plain key can be declared",
        )
    if key.startswith("#"):
        raise KConfigError(f"key {spelled!r}: KConfig would take this line for a comment")
    if "\\" in key:
        raise KConfigError(f"key {spelled!r}: KDE releases disagree on a backslash in a key")
    return key, _ordered({*(options or "")})


def check_group(parts: object) -> None:
    """Raise KConfigError for a declared group that KConfig could not read back."""
    if not isinstance(parts, tuple) or not all(isinstance(part, str) for part in parts):
        raise KConfigError(f"group {parts!r} is not a tuple of names", do="write ('A', 'B')")
    if not all(parts) or not parts:
        raise KConfigError(
            f"group {parts!r} has an empty part",
            do=f"the entries above the first header are the group ({ROOT!r},)",
        )
    if ROOT in parts and len(parts) > 1:
        raise KConfigError(f"group {parts!r}: {ROOT} has no groups of its own")
    for part in parts:
        _check_name("group", part)
        if SEPARATOR in part:
            raise KConfigError(f"group {part!r} has KConfig's separator \\x1d in its name")
        printed = _printed(part, r"\[\]")
        if "\\" in printed and printed.strip(" ") != printed:
            raise KConfigError(f"group {part!r}: KConfig drops the spaces around an escaped name")


def check_value(value: object) -> None:
    """Raise KConfigError for a declared value that is not Unicode text."""
    if not isinstance(value, str):
        raise KConfigError(f"value {value!r} is not a string", do="write it as KDE does: 'true'")
    _check_text("value", value)


def _check_name(kind: str, name: str) -> None:
    _check_text(kind, name)
    if "\0" in name:
        raise KConfigError(f"{kind} {name!r} has a NUL in it, where KDE would cut it")


def _check_text(kind: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise KConfigError(f"{kind} {text!r} is not Unicode text") from error
