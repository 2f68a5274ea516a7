"""What a KDE program reads for an entry from all its config files together, KConfig's cascade.

In: the files of the cascade as bytes, the least important first, the user's own last. Out: the
value in force, the file and line that it comes from, and the line that locks it.

The order is KConfig's (KDE/kconfig, ``KConfig::reparseConfiguration``)::

    system files of kdeglobals    /etc/kde5rc, system.kdeglobals, kdeglobals; last directory first
    system files of the name      the directories of XDG_CONFIG_DIRS, last one first
    the user's kdeglobals         not for kdeglobals itself, where it is the last
    the user's file

1. A later file wins, entry by entry. ``key[$d]`` deletes the entry of earlier files.
2. ``key[$i]`` locks an entry. ``[Group][$i]`` locks a group from the end of the file on, also the
   entries that the file does not name. No later line or file changes what is locked.
3. ``[$i]`` alone locks all groups that follow it in its file, and no later file is read at all.
4. In one file the last line of an entry wins, or the first locked line.

KDE passes over a file that it cannot read, and so does the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO

from converge.kde.declared import Desired, Entry, Group, Reading
from converge.kde.text import (
    ROOT,
    EntryLine,
    HeaderLine,
    Skipped,
    inner_name,
    read_line,
    read_spelling,
)

GLOBALS = "kdeglobals"
#: Read by KDE 5 and 6 alike, below all others.
KDERC = "/etc/kde5rc"
SYSTEM_GLOBALS = "system.kdeglobals"
_Key = tuple[bytes, bytes]


@dataclass(frozen=True, kw_only=True)
class CascadeFile:
    """One file of the cascade. ``own``: the user's file, which a run writes."""

    path: str
    text: bytes
    own: bool = False


@dataclass(frozen=True, kw_only=True)
class FileLine:
    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"


@dataclass(frozen=True, kw_only=True)
class InForce:
    """The entry that KDE reads, and its line. A deleted entry has the option "d"."""

    reading: Reading
    place: FileLine
    own: bool


@dataclass(frozen=True)
class _Line:
    number: int
    group: bytes
    locks_group: bool = False
    entry: EntryLine | None = None
    locked: bool = False  # by its own options, its header or its file


@dataclass(frozen=True)
class _File:
    """The headers and entries of a file. ``locks_file``: line of ``[$i]``, or 0."""

    lines: tuple[_Line, ...]
    locks_file: int


@lru_cache(maxsize=32)
def _read(text: bytes) -> _File:
    """The headers and entries of one file, each content parsed once."""
    return _File(tuple(_lines(text)), _locks_file(text))


def _lines(text: bytes) -> Iterator[_Line]:
    group, header_locked, file_locked = ROOT.encode(), False, False
    for number, raw in enumerate(BytesIO(text), start=1):
        match read_line(raw):
            case HeaderLine() as header:
                group = header.group
                header_locked = header.locked or file_locked
                file_locked = file_locked or header.locks_file
                yield _Line(number, group, locks_group=header_locked)
            case EntryLine() as entry:
                locked = header_locked or "i" in entry.options
                yield _Line(number, group, entry=entry, locked=locked)
            case Skipped.HEADER:  # the group goes on, but not its lock
                header_locked = file_locked


def _locks_file(text: bytes) -> int:
    if b"[$i]" not in text:
        return 0
    for number, raw in enumerate(BytesIO(text), start=1):
        match read_line(raw):
            case HeaderLine(locks_file=True):
                return number
    return 0


@dataclass
class Cascade:
    """All files of a cascade together. ``locks``: group, or (group, key), -> the locking line;
    ``translated``: entries with a translation that no later file overrides."""

    entries: dict[_Key, InForce] = field(default_factory=dict)
    locks: dict[bytes | _Key, FileLine] = field(default_factory=dict)
    translated: dict[_Key, FileLine] = field(default_factory=dict)
    whole: FileLine | None = None  # the lock of a file, after which no file is read

    def in_force(self, group: Group, key: str) -> InForce | None:
        """What KDE reads, or None where no file has the entry: then the program's default counts.
        The reading is broken where KDE may prefer a translation to the plain entry."""
        entry = inner_name(group), key.encode()
        held = self.entries.get(entry)
        if (place := self.translated.get(entry)) is not None:
            return InForce(reading=Reading("(translated)", broken=True), place=place, own=False)
        return None if held is None or "d" in held.reading.options else held

    def lock(self, group: Group, key: str) -> FileLine | None:
        """The line that locks an entry, or None. While an entry is locked, the user's file cannot
        change its value."""
        inner = inner_name(group)
        return self.locks.get((inner, key.encode())) or self.locks.get(inner) or self.whole


def cascade(sources: Iterable[CascadeFile]) -> Cascade:
    """The cascade of these files, the least important first."""
    files = Cascade()
    for source in sources:
        if files.whole is not None:
            break
        _lay_over(files, source)
    return files


def _lay_over(below: Cascade, source: CascadeFile) -> None:
    held = _read(source.text)
    groups: dict[bytes, FileLine] = {}
    translated: dict[_Key, FileLine] = {}
    for line in held.lines:
        place = FileLine(path=source.path, line=line.number)
        if line.locks_group:
            groups.setdefault(line.group, place)
        entry = line.entry
        if entry is None:
            continue
        key = line.group, entry.key
        # A system file after the lock of a group still changes entries from before the lock.
        if key in below.locks or (
            line.group in below.locks and (source.own or key not in below.entries)
        ):
            continue
        if entry.locale is not None:
            translated[key] = place
            continue
        below.translated.pop(key, None)
        value = entry.value.decode("utf-8", "replace")  # as Qt does
        reading = Reading(value, entry.options, entry.broken or entry.rival is not None)
        below.entries[key] = InForce(reading=reading, place=place, own=source.own)
        if line.locked:
            below.locks[key] = place
    below.translated |= translated
    for group, place in groups.items():
        below.locks.setdefault(group, place)
    if held.locks_file:
        below.whole = FileLine(path=source.path, line=held.locks_file)


def order(
    name: str, *, home_directory: str, directories: Iterable[str], kderc: str = KDERC
) -> tuple[str, ...]:
    """Paths of the files of ``name`` in the order of a cascade, the user's own last.

    ``home_directory``: XDG_CONFIG_HOME; ``directories``: XDG_CONFIG_DIRS, of which the first
    directory wins; ``kderc``: path of /etc/kde5rc."""
    system = tuple(directories)[::-1]
    own = f"{home_directory}/{name}"
    globals_ = (
        kderc,
        *(f"{one}/{SYSTEM_GLOBALS}" for one in system),
        *(f"{one}/{GLOBALS}" for one in system),
    )
    if name == GLOBALS:
        return (*globals_, f"{home_directory}/{SYSTEM_GLOBALS}", own)
    users = (f"{home_directory}/{SYSTEM_GLOBALS}", f"{home_directory}/{GLOBALS}")
    return (*globals_, *(f"{one}/{name}" for one in system), *users, own)


def over(desired: Desired, below: Cascade) -> dict[Group, dict[str, str | Entry]]:
    """The declaration with the defaults that hold here (``below``: all but the user's file).

    An entry that the user's file lacks falls back to the value of a lower file, and not to the
    program's default. So an entry that a lower file sets otherwise has to be written."""
    return {
        group: {
            spelled: _over(entry, *_below(below, group, spelled)) for spelled, entry in keys.items()
        }
        for group, keys in desired.items()
    }


def _below(below: Cascade, group: Group, spelled: str) -> tuple[InForce | None, bool]:
    """What lies below a declared entry, and whether the same text means the same there: with
    ``[$e]`` KDE expands variables in it."""
    key, options = read_spelling(spelled)
    held = below.in_force(group, key)
    return held, held is None or ("e" in held.reading.options) == ("e" in options)


def _over(entry: str | Entry, below: InForce | None, same: bool) -> str | Entry:
    if below is None:
        return entry
    value = entry.value if isinstance(entry, Entry) else entry
    return Entry(value, None if below.reading.broken or not same else below.reading.value)


def locked(desired: Desired, whole: Cascade) -> Mapping[tuple[Group, str], FileLine]:
    """The declared entries that a lock keeps at another value: (group, key) -> the locking line.
    ``whole``: the cascade with the user's file."""
    places = {}
    for group, keys in desired.items():
        for spelled, entry in keys.items():
            key, options = read_spelling(spelled)
            place = whole.lock(group, key)
            if place is None:
                continue
            held = whole.in_force(group, key)
            wanted = entry if isinstance(entry, Entry) else Entry(entry)
            reading = Reading(wanted.value, options.replace("i", ""))
            if held.reading.meets(reading) if held else wanted.default == wanted.value:
                continue
            places[group, key] = place
    return places
