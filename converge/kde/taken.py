"""Take the entries of a run back in a KDE file that others may have written since.

In: the file as it is now, and the record of a run (``back.Back``). Out: the file with each entry as
it was before the run, unless somebody changed the entry since; all other bytes stay. ``back.py``
has the rules. On a workspace ``remote/entries.awk`` does the same without Python.
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
        while lines and _blank(lines[0]):  # blank lines between our entry and the next group
            del lines[0]
    if lines and not ended and text:
        if lines[-1].endswith(b"\n"):
            lines[-1] = lines[-1].removesuffix(b"\n").removesuffix(b"\r")
        lines[:-1] = [line if line.endswith(b"\n") else line + newline for line in lines[:-1]]
    return Taken(b"".join(lines), tuple(back), tuple(left))


def _blank(line: bytes) -> bool:
    return not line.strip(b" \t\r\n\v\f")


def _split(text: bytes) -> list[bytes]:
    return [placed.raw for placed in read_file(text)]


def _in_force(places: list[Placed], entry: Back) -> int | None:
    """Index of the line in force for an entry: the last line, or the first locked one."""
    last = None
    for at, placed in enumerate(places):
        read = placed.read
        if isinstance(read, EntryLine) and (placed.group, read.key, read.locale) == entry.identity:
            last = at
            if placed.locked:
                break
    return last


def _reading(entry: EntryLine) -> Reading:
    return Reading(entry.value.decode("latin-1"), entry.options)


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
        for at, placed in enumerate(places)
        if isinstance(placed.read, HeaderLine) and placed.group == group
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
        for at, placed in enumerate(places):
            if not isinstance(placed.read, HeaderLine) or placed.group != entry.identity[0]:
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
