"""What a KDE program reads for an entry, all layers of its files together.

In: the files of the cascade as bytes, the least important first, the user's own last. Out: the
value in force with the file and line that it comes from, and who locks it.

The order is KConfig's (KDE/kconfig, ``KConfig::reparseConfiguration``)::

    system files of kdeglobals    /etc/kde5rc, system.kdeglobals, kdeglobals; last directory first
    system files of the name      the directories of XDG_CONFIG_DIRS, last one first
    the user's kdeglobals         not for kdeglobals itself, where it is the last
    the user's file

1. A later file wins, entry by entry. ``key[$d]`` takes the entry away again.
2. ``key[$i]`` locks an entry, ``[Group][$i]`` the entries of a group from the end of the file on,
   also those that the file does not name. Nothing later changes what is locked.
3. ``[$i]`` alone locks all groups that follow it in its file, and no later file is read at all.
4. In one file the last line of an entry wins, or the first locked one.

A file that cannot be read is one that KDE cannot read either: it passes over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO

from converge.kde.declared import Desired, Entry, Group, Reading
from converge.kde.text import (
    ROOT,
    SEPARATOR,
    EntryLine,
    HeaderLine,
    Skipped,
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
    """One file of the cascade. ``own``: the file that we write."""

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
    """``reading`` as KDE has it; an entry that was taken away has the option "d"."""

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
    """``locks_file``: line of ``[$i]``, 0 without one."""

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
    """The files together. ``locks``: group, or (group, key), -> where it is locked;
    ``translated``: entries with a translation that no later file overrides."""

    entries: dict[_Key, InForce] = field(default_factory=dict)
    locks: dict[bytes | _Key, FileLine] = field(default_factory=dict)
    translated: dict[_Key, FileLine] = field(default_factory=dict)
    whole: FileLine | None = None  # the lock of a file, behind which nothing is read

    def in_force(self, group: Group, key: str) -> InForce | None:
        """What KDE reads, or None where no file has the entry: a program's own default. A
        translation may come before the plain entry, so there the reading is broken."""
        entry = _inner(group), key.encode()
        found = self.entries.get(entry)
        if (place := self.translated.get(entry)) is not None:
            return InForce(reading=Reading("(translated)", broken=True), place=place, own=False)
        return None if found is None or "d" in found.reading.options else found

    def lock(self, group: Group, key: str) -> FileLine | None:
        """Who locks an entry: nothing that is written into the user's file changes it then."""
        inner = _inner(group)
        return self.locks.get((inner, key.encode())) or self.locks.get(inner) or self.whole


def cascade(sources: Iterable[CascadeFile]) -> Cascade:
    """The files together, the least important first."""
    found = Cascade()
    for source in sources:
        if found.whole is not None:
            break
        _lay_over(found, source)
    return found


def _lay_over(found: Cascade, source: CascadeFile) -> None:
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
        # Above a locked group a system file still changes what was there before the lock.
        if key in found.locks or (
            line.group in found.locks and (source.own or key not in found.entries)
        ):
            continue
        if entry.locale is not None:
            translated[key] = place
            continue
        found.translated.pop(key, None)
        value = entry.value.decode("utf-8", "replace")  # as Qt does
        reading = Reading(value, entry.options, entry.broken or entry.rival is not None)
        found.entries[key] = InForce(reading=reading, place=place, own=source.own)
        if line.locked:
            found.locks[key] = place
    found.translated |= translated
    for group, place in groups.items():
        found.locks.setdefault(group, place)
    if held.locks_file:
        found.whole = FileLine(path=source.path, line=held.locks_file)


def order(
    name: str, *, home_directory: str, directories: Iterable[str], kderc: str = KDERC
) -> tuple[str, ...]:
    """Paths of the files of ``name`` in the order of a cascade, the user's own last.

    ``home_directory``: XDG_CONFIG_HOME; ``directories``: XDG_CONFIG_DIRS, the first wins."""
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
    """The declaration as it stands above the lower layers (``below``: without the user's file).

    Where a lower layer has an entry, that is what an absent one falls back to, and not the
    program's own default: an entry that the lower layer sets otherwise has to be written."""
    found: dict[Group, dict[str, str | Entry]] = {}
    for group, keys in desired.items():
        found[group] = {
            spelled: _over(entry, below.in_force(group, read_spelling(spelled)[0]))
            for spelled, entry in keys.items()
        }
    return found


def _over(entry: str | Entry, below: InForce | None) -> str | Entry:
    if below is None:
        return entry
    value = entry.value if isinstance(entry, Entry) else entry
    return Entry(value, None if below.reading.broken else below.reading.value)


def locked(desired: Desired, whole: Cascade) -> Mapping[tuple[Group, str], FileLine]:
    """The declared entries that a lock keeps at another value, by group and key."""
    found = {}
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
            found[group, key] = place
    return found


def _inner(group: Group) -> bytes:
    return SEPARATOR.join(group).encode()
