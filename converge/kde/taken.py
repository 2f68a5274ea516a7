"""Take entries of a run back in the bytes of a KDE file, whoever wrote it since.

In: the file as it is now, and the record of a run (``back.Back``). Out: the file with those entries
as they were before, each unless somebody changed it since; every other byte as it is. The rules are
those of ``back.py``. On a workspace ``remote/entries.awk`` does the same without Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from converge.kde.back import Back, LineInForce, locked
from converge.kde.declared import Reading
from converge.kde.text import ROOT, EntryLine, HeaderLine, Placed, read_file


@dataclass(frozen=True)
class Taken:
    """The file, the entries that went back, and those that somebody changed."""

    text: bytes
    back: tuple[str, ...]
    left: tuple[str, ...]


def taken_back(text: bytes, entries: Sequence[Back]) -> Taken:
    """``text`` with the entries taken back, and what became of each of them."""
    lines = _split(text)
    ended = not text or text.endswith(b"\n")
    newline = b"\r\n" if lines and lines[0].rstrip(b"\n").endswith(b"\r") else b"\n"
    back: list[str] = []
    left: list[str] = []
    for entry in entries:
        done = False
        while True:
            places = list(read_file(b"".join(lines)))
            at = _in_force(places, entry)
            found = None if at is None else places[at].read
            assert found is None or isinstance(found, EntryLine)
            if _meets(found, entry.was):
                break
            if not _ours(found, entry):
                left.append(entry.name)
                done = False
                break
            done = True
            if entry.was is None:
                if at is None:
                    break
                del lines[at]
                continue
            if at is None:
                _add(lines, places, entry, newline)
            else:
                assert found is not None
                line = locked(entry.was) if "i" in found.options else entry.was.line
                bare = lines[at].removesuffix(b"\n")
                ending = bare[len(bare.removesuffix(b"\r")) :] + lines[at][len(bare) :]
                lines[at] = line + ending
            break
        if done:
            back.append(entry.name)
            if entry.new_group:
                _drop_empty_group(lines, entry)
    if back and text and not _blank(_split(text)[0]):
        while lines and _blank(lines[0]):  # it stood between an entry of ours and the next group
            del lines[0]
    if lines and not ended and text:
        if lines[-1].endswith(b"\n"):
            lines[-1] = lines[-1].removesuffix(b"\n").removesuffix(b"\r")
        lines[:-1] = [one if one.endswith(b"\n") else one + newline for one in lines[:-1]]
    return Taken(b"".join(lines), tuple(back), tuple(left))


def _blank(line: bytes) -> bool:
    return not line.strip(b" \t\r\n\v\f")


def _split(text: bytes) -> list[bytes]:
    return [one.raw for one in read_file(text)]


def _in_force(places: list[Placed], entry: Back) -> int | None:
    found = None
    for at, one in enumerate(places):
        read = one.read
        if isinstance(read, EntryLine) and (one.group, read.key, read.locale) == entry.identity:
            found = at
            if one.locked:
                break
    return found


def _reading(one: EntryLine) -> Reading:
    return Reading(one.value.decode("latin-1"), one.options)


def _meets(found: EntryLine | None, wanted: LineInForce | None) -> bool:
    if found is None or wanted is None:
        return found is None and wanted is None
    other = wanted.entry
    same = (found.options, found.value, found.broken) == (other.options, other.value, other.broken)
    sound = not found.broken and not other.broken
    return same or (sound and _reading(found).meets(_reading(other)))


def _ours(found: EntryLine | None, entry: Back) -> bool:
    if _meets(found, entry.ours):
        return True
    return entry.default is not None and (found is None or "d" in found.options)


def _add(lines: list[bytes], places: list[Placed], entry: Back, newline: bytes) -> None:
    assert entry.was is not None
    group = entry.identity[0]
    ends = lines and not lines[-1].endswith(b"\n")
    headers = [
        at
        for at, one in enumerate(places)
        if isinstance(one.read, HeaderLine) and one.group == group
    ]
    new = entry.was.line + newline
    if group != ROOT.encode() and not headers:
        if ends:
            lines[-1] += newline
        if lines and not _blank(lines[-1]):
            lines.append(newline)
        lines += [entry.was.header + newline, new]
        return
    start = 0 if group == ROOT.encode() else headers[0] + 1
    last = start
    for at in range(start, len(places)):
        if isinstance(places[at].read, HeaderLine):
            break
        if isinstance(places[at].read, EntryLine):
            last = at + 1
    if last == len(lines) and ends:
        lines[-1] += newline
    if last == 0 and places and isinstance(places[0].read, HeaderLine):
        new += newline
    lines[last:last] = _split(new)


def _drop_empty_group(lines: list[bytes], entry: Back) -> None:
    while True:
        places = list(read_file(b"".join(lines)))
        for at, one in enumerate(places):
            if not isinstance(one.read, HeaderLine) or one.group != entry.identity[0]:
                continue
            inside = []
            for other in places[at + 1 :]:
                if isinstance(other.read, HeaderLine):
                    break
                inside.append(other.raw.strip(b" \t\r\n\v\f"))
            if not any(inside):
                del lines[at]
                if at and _blank(lines[at - 1]):
                    del lines[at - 1]
                break
        else:
            return
