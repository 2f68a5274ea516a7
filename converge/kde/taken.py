"""Take the entries of a run back in a KDE file that others may have written since.

In: the file as it is now, and the record of a run (``back.Back``). Out: the file with each entry as
it was before the run, unless somebody changed the entry since; all other bytes stay. ``back.py``
has the rules. On a workspace ``remote/entries.awk`` does the same without Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from converge.kde.back import Back, LineInForce, locked
from converge.kde.declared import Reading
from converge.kde.text import ROOT, EntryLine, HeaderLine, Placed, read_file


@dataclass(frozen=True)
class Taken:
    """The file, the entries that went back, and those that somebody changed."""

    text: bytes
    back: tuple[str, ...]
    left: tuple[str, ...]


@lru_cache(maxsize=2)
def _places(text: bytes) -> list[Placed]:
    """The lines of a file; nobody changes this list. An entry ends with the file that the next one
    begins with."""
    return list(read_file(text))


def taken_back(text: bytes, entries: Sequence[Back]) -> Taken:
    """``text`` with the entries taken back, and what became of each of them."""
    lines = _split(text)
    ended = not text or text.endswith(b"\n")
    newline = b"\r\n" if lines and lines[0].rstrip(b"\n").endswith(b"\r") else b"\n"
    back: list[str] = []
    left: list[str] = []
    for entry in entries:
        done, others = _take_back(lines, entry, newline)
        if others:
            left.append(entry.name)
        if done:
            back.append(entry.name)
            if entry.new_group:
                _drop_empty_group(lines, entry)
    if back and text and not _blank(_split(text)[0]):
        # Blank lines between our entry and the next group.
        del lines[: next((n for n, line in enumerate(lines) if not _blank(line)), len(lines))]
    if lines and not ended and text:
        if lines[-1].endswith(b"\n"):
            lines[-1] = lines[-1].removesuffix(b"\n").removesuffix(b"\r")
        lines[:-1] = [line if line.endswith(b"\n") else line + newline for line in lines[:-1]]
    return Taken(b"".join(lines), tuple(back), tuple(left))


def _take_back(lines: list[bytes], entry: Back, newline: bytes) -> tuple[bool, bool]:
    """One entry: whether something was done, and whether what is in force is somebody else's."""
    places = _places(b"".join(lines))
    if entry.repeated and _bare(lines, _all(places, entry)) == list(entry.our_lines):
        _exchange(lines, places, entry, newline)
        return True, False
    at = _in_force(places, entry)
    found = None if at is None else places[at].read
    assert found is None or isinstance(found, EntryLine)
    if _as_before(found, entry):
        return False, False
    if not _ours(found, entry):
        return False, True
    if entry.was is not None and found is not None and at is not None:
        lock = "i" in found.options and not (entry.ours and "i" in entry.ours.entry.options)
        lines[at] = (locked(entry.was) if lock else entry.was.line) + _ending(lines[at])
    elif entry.was is not None:
        _add(lines, places, entry, entry.was.line, newline)
    elif at is not None:
        del lines[at]
    while True:  # a line of the run behind it may be in force now
        places = _places(b"".join(lines))
        at = _in_force(places, entry)
        found = None if at is None else places[at].read
        assert found is None or isinstance(found, EntryLine)
        if at is None or _as_before(found, entry):
            return True, False
        mine = _ours(found, entry) if entry.was is None else _meets(found, entry.ours)
        if not mine and _bare(lines, [at])[0] not in entry.our_lines:
            return True, True
        del lines[at]


def _all(places: list[Placed], entry: Back) -> list[int]:
    """The lines of an entry, each by its place."""
    return [
        at
        for at, one in enumerate(places)
        if isinstance(one.read, EntryLine)
        and (one.group, one.read.key, one.read.locale) == entry.identity
    ]


def _bare(lines: list[bytes], at: list[int]) -> list[bytes]:
    return [lines[one].removesuffix(b"\n").removesuffix(b"\r") for one in at]


def _ending(line: bytes) -> bytes:
    bare = line.removesuffix(b"\n")
    return bare[len(bare.removesuffix(b"\r")) :] + line[len(bare) :]


def _exchange(lines: list[bytes], places: list[Placed], entry: Back, newline: bytes) -> None:
    """All lines of the run's for all lines from before, place by place."""
    held = _all(places, entry)
    for at, line in zip(held, entry.old_lines, strict=False):
        lines[at] = line + _ending(lines[at])
    more = entry.old_lines[len(held) :]
    if held and more:
        last = held[-1]
        if not lines[last].endswith(b"\n"):
            lines[last] += newline
        lines[last + 1 : last + 1] = [line + newline for line in more]
    elif more:
        for line in more:
            _add(lines, _places(b"".join(lines)), entry, line, newline)
    for at in reversed(held[len(entry.old_lines) :]):
        del lines[at]


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
    if "d" in found.options and "d" in other.options:  # KDE writes `[$di]`, which locks nothing
        return True
    sound = not found.broken and not other.broken
    return _says(found) == _says(other) or (sound and _reading(found).meets(_reading(other)))


def _as_before(found: EntryLine | None, entry: Back) -> bool:
    """Whether it says what it said before; a lock or an option that the run gave it does not."""
    ours, was = (one.entry if one else None for one in (entry.ours, entry.was))
    if _says(found) == _says(ours) != _says(was):
        return False
    return _meets(found, entry.was)


def _says(one: EntryLine | None) -> tuple[str, bytes, bool] | None:
    return (one.options, one.value, one.broken) if one else None


def _ours(found: EntryLine | None, entry: Back) -> bool:
    if _meets(found, entry.ours):
        return True
    return entry.default is not None and (found is None or "d" in found.options)


def _add(
    lines: list[bytes], places: list[Placed], entry: Back, line: bytes, newline: bytes
) -> None:
    assert entry.was is not None
    group = entry.identity[0]
    ends = lines and not lines[-1].endswith(b"\n")
    headers = [
        at
        for at, placed in enumerate(places)
        if isinstance(placed.read, HeaderLine) and placed.group == group
    ]
    new = line + newline
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
        places = _places(b"".join(lines))
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
