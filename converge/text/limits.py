"""Limits on what a workspace answers: numbers, JSON, TOML, frames and archives.

Every reader of a remote answer uses these functions. They raise ValueError for a malformed answer
and for one beyond a limit, with the limit in the text; the error fails the part of that workspace
and nothing else. ``tasks.reach.limits`` limits how many bytes of an answer are read at all.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import tarfile
import tomllib
import zlib
from collections.abc import Iterator
from typing import Any, NoReturn

DIGITS = 18  # of a number: below 2**63, and as a float it is finite
DEPTH = 64  # of nested JSON
TEXT = 64 * 1024 * 1024  # bytes of one JSON document
TOML = 32 * 1024  # characters of one TOML text
UNPACKED = 64 * 1024 * 1024  # bytes of one archive, and of the files in it
MEMBERS = 10_000  # of one archive
_NUMBER = re.compile(rf"-?[0-9]{{1,{DIGITS}}}")
_DECIMAL = re.compile(rf"-?[0-9]{{1,{DIGITS}}}(\.[0-9]{{1,{DIGITS}}})?(e[+-]?[0-9]{{1,2}})?")


def number(text: str) -> int:
    """A whole number in decimal. Raises ValueError."""
    if not _NUMBER.fullmatch(text):
        shown = text if len(text) <= 40 else f"{text[:37]}..."
        raise ValueError(f"not a number of at most {DIGITS} digits: {shown!r}")
    return int(text)


def count(text: str) -> int | None:
    """A whole number that is not negative; None where the text is no such number."""
    return int(text) if re.fullmatch(rf"[0-9]{{1,{DIGITS}}}", text) else None


def decimal(text: str) -> float:
    """A number that may have a fraction, as ``12.5`` or ``6.4e-05``. Raises ValueError."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"not a decimal number: {text[:40]!r}")
    return float(text)


def frame(text: str) -> tuple[int, bytes, str]:
    """The exit code, output and errors of a program, from the line that ``frame`` of
    ``remote/common.sh`` prints. Raises ValueError."""
    output, code, errors = text.split(" ")
    return number(code), decoded(output), decoded(errors).decode(errors="replace")


def decoded(word: str) -> bytes:
    """The bytes of the word "=BASE64" of a frame. Raises ValueError."""
    if not word.startswith("="):
        raise ValueError("not a word of a frame")
    return base64.b64decode(word[1:], validate=True)


def document(text: str | bytes) -> Any:
    """The value that a JSON text holds. Raises ValueError."""
    if len(text) > TEXT:
        raise ValueError(f"JSON of more than {TEXT} bytes")
    try:
        value = json.loads(text, parse_int=number, parse_float=_float, parse_constant=_constant)
    except RecursionError as error:
        raise ValueError(f"JSON nested deeper than {DEPTH}") from error
    if _brackets(text) > DEPTH:  # fewer cannot nest deeper
        _check_depth(value)
    return value


def _brackets(text: str | bytes) -> int:
    if isinstance(text, str):
        return text.count("[") + text.count("{")
    return text.count(b"[") + text.count(b"{")


def _float(text: str) -> float:
    value = float(text) if len(text) <= 40 else float("inf")
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number that is too large")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f"JSON has no {text}")


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise ValueError(f"JSON nested deeper than {DEPTH}")


def toml(text: str) -> dict[str, Any]:
    """The value that a TOML text holds. Raises ValueError.

    The limit is low because ``tomllib`` takes quadratic time for a key of many parts."""
    if len(text) > TOML:
        raise ValueError(f"TOML of more than {TOML} characters")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("TOML nested too deep") from error


_HARD_LINK, _PAX, _PAX_GLOBAL = tarfile.LNKTYPE, tarfile.XHDTYPE, tarfile.XGLTYPE
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_EMPTY = (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE)
_NAMES = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}


def unpack(packed: bytes) -> bytes:
    """The bytes in a gzip file. Raises ValueError."""
    try:
        with gzip.open(io.BytesIO(packed)) as stream:
            data = stream.read(UNPACKED + 1)
    except (zlib.error, EOFError, OSError) as error:
        raise ValueError(f"it is damaged: {error}") from error
    if len(data) > UNPACKED:
        raise ValueError(f"it unpacks to more than {UNPACKED} bytes")
    return data


def members(data: bytes) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Yield each member of an archive of GNU tar, with its content where it is a file.

    ``tarfile`` parses only the single headers here. Its reader of whole archives loops for ever on
    a negative size before Python 3.11.14 (CVE-2025-8194), recurses for each extended header, and
    takes quadratic time on some archives. A hard link yields the content of the file that it names;
    that content counts towards the limit again. Raises ValueError."""
    at, left, seen = 0, UNPACKED, 0
    given: dict[str, str] = {}  # what extended headers say of the member after them
    contents: dict[str, bytes] = {}
    while any(header := data[at : at + tarfile.BLOCKSIZE]):
        seen += 1
        if seen > MEMBERS:
            raise ValueError(f"it has more than {MEMBERS} members")
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except (tarfile.TarError, ValueError) as error:
            raise ValueError(f"it is damaged: {error}") from error
        at += tarfile.BLOCKSIZE
        size = 0 if member.type in (*_EMPTY, _HARD_LINK) else int(given.get("size", member.size))
        content = data[at : at + max(0, size)]
        if len(content) != size:
            raise ValueError("it is damaged: it ends within a member")
        at += -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        if member.type in _NAMES:
            given[_NAMES[member.type]] = _name(content.rstrip(b"\0"))
        elif member.type == _PAX:
            given |= _pax(content)
        elif member.type != _PAX_GLOBAL:
            if member.type not in (*_FILES, *_EMPTY, _HARD_LINK):
                raise ValueError(f"it has a member of the type {member.type!r}")
            member.name = given.get("path", member.name)
            if member.isdir():
                member.name = member.name.rstrip("/")  # tar writes a slash after a directory
            member.linkname = given.get("linkpath", member.linkname)
            given = {}
            if member.type == _HARD_LINK:
                if member.linkname not in contents:
                    raise ValueError("it has a hard link to what is not there")
                content = contents[member.linkname]
            left -= len(content)
            if left < 0:
                raise ValueError(f"its files are larger than {UNPACKED} bytes")
            if member.type in _FILES:
                contents[member.name] = content
            yield member, content
    if not header:
        raise ValueError("it is damaged: it has no end")


def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _pax(content: bytes) -> dict[str, str]:
    """Names and sizes in an extended header, ``LENGTH KEY=VALUE`` lines. Raises ValueError."""
    said = {}
    at = 0
    while at < len(content):
        digits, _, _ = content[at : at + DIGITS].partition(b" ")
        length = count(_name(digits)) or 0
        key, equals, value = content[at + len(digits) + 1 : at + length - 1].partition(b"=")
        if not length or not equals:
            raise ValueError("it is damaged: an extended header is malformed")
        if key.startswith(b"GNU.sparse"):
            raise ValueError("it has a sparse member")
        said[_name(key)] = _name(value)
        at += length
    if not said.get("size", "0").isdecimal() or len(said.get("size", "0")) > DIGITS:
        raise ValueError("it is damaged: an extended header has no size")
    return {key: said[key] for key in ("path", "linkpath", "size") if key in said}
