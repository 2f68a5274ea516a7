"""Bring declared entries in force in a KDE config file, and leave every other byte as it was.

In: the bytes of ``kwinrc``, ``baloofilerc``, ``kdeglobals`` ... as they are now, and the declared
entries. Out: the new bytes, and each entry that had to change. docs/kconfig.md has the rules in
prose.

Entries are declared in KConfig's own spelling of keys, values in plain text::

    {
        ("Windows",): {"FocusPolicy": "ClickToFocus"},
        ("General",): {"exclude folders[$e]": "$HOME/.cache,$HOME/.cargo", "gone[$d]": ""},
        ("Effect", "blur"): {"BlurStrength": Entry("15", default="15")},
        ("<default>",): {"above the first header": "1"},
    }
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from converge.kde.book import Book
from converge.kde.declared import (
    Declared,
    Desired,
    Entry,
    Group,
    Reading,
    checked,
    declared,
    remembered,
)
from converge.kde.text import KConfigError, check_group, print_group, read_spelling

__all__ = [
    "Desired",
    "Drift",
    "Entry",
    "EntryChange",
    "Group",
    "KConfigError",
    "Merged",
    "declared",
    "drift",
    "merge",
    "remembered",
    "values",
]


@dataclass(frozen=True, kw_only=True)
class EntryChange:
    """One declared entry that was not in force."""

    group: Group
    key: str  # without options
    found: str | None  # what KDE reads, variables unexpanded; None: no such entry, or deleted
    wanted: str | None  # None: deleted
    line: int | None  # the line that KDE reads the entry from; None: no such entry
    found_options: str = ""  # of "i", "e", "d"
    wanted_options: str = ""
    default: str | None = None

    def __str__(self) -> str:
        place = print_group(self.group).decode()
        line = f" (line {self.line})" if self.line else ""
        before = _shown(self.found, self.found_options, absent=self.line is None)
        after = _shown(self.wanted, self.wanted_options)
        return f"{place} {self.key}: {before} -> {after}{line}"


@dataclass(frozen=True)
class Merged:
    text: bytes
    changes: tuple[EntryChange, ...]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A declared entry that somebody else changed since a run wrote it. None: deleted."""

    group: Group
    key: str
    old: str | None  # what the last run wrote
    found: str | None
    wanted: str | None
    line: int | None


def merge(text: bytes, desired: Desired, *, name: str = "") -> Merged:
    """``text`` with the desired entries in force, and the entries that were not in force before.

    The line of an entry that is in force already stays as it is, whatever its spelling. For any
    other entry, the line that KDE reads is replaced; without such a line, a new one is added after
    the last line of the group; without the group, a new group is added at the end. Raises
    KConfigError with the line that makes a desired entry impossible; ``name``: the file's name in
    its message.
    """
    wanted = checked(desired)
    try:
        book = Book(text)
        changes = tuple(change for entry in wanted if (change := _apply(book, entry)))
        return Merged(book.text() if changes else text, changes)
    except KConfigError as error:
        raise error.named(name) from None


def values(
    text: bytes, entries: Mapping[Group, Iterable[str]], *, name: str = ""
) -> dict[tuple[Group, str], str | None]:
    """What KDE reads from ``text`` for these entries, by group and key without options.

    Variables are not expanded. None: no such entry, or deleted. Raises KConfigError.
    """
    try:
        book = Book(text)
        read: dict[tuple[Group, str], str | None] = {}
        for group, keys in entries.items():
            check_group(group)
            for spelled in keys:
                key, _ = read_spelling(spelled)
                reading, _ = _found(book, group, key)
                deleted = reading is None or "d" in reading.options
                read[group, key] = None if reading is None or deleted else reading.value
        return read
    except KConfigError as error:
        raise error.named(name) from None


def drift(
    changes: Iterable[EntryChange], last_written: Mapping[tuple[Group, str], str]
) -> tuple[Drift, ...]:
    """The changes whose entry a run wrote before and somebody else changed since.

    ``last_written``: ``remembered(desired)`` of the last run that wrote. The other changes come
    from a first run or from a new declaration.
    """
    memory: dict[tuple[Group, str], Reading] = {}
    for (group, spelled), value in last_written.items():
        key, options = read_spelling(spelled)
        memory[group, key] = Reading(value, options)
    drifted: list[Drift] = []
    for change in changes:
        old = memory.get((change.group, change.key))
        if old is None:
            continue
        reading = None if change.line is None else Reading(change.found or "", change.found_options)
        if not Declared(change.group, change.key, old, change.default).met_by(reading):
            drifted.append(
                Drift(
                    group=change.group,
                    key=change.key,
                    old=None if "d" in old.options else old.value,
                    found=change.found,
                    wanted=change.wanted,
                    line=change.line,
                )
            )
    return tuple(drifted)


def _found(book: Book, group: Group, key: str) -> tuple[Reading | None, int | None]:
    """What KDE reads for one entry, and from which line."""
    line = book.in_force(group, key)
    if line is None:
        return None, None
    entry = line.entry
    value = entry.value.decode("utf-8", "replace")  # as Qt does
    return Reading(value, entry.options, entry.broken), line.line


def _apply(book: Book, entry: Declared) -> EntryChange | None:
    """Set one entry in the book; None where the entry is in force already."""
    found, line = _found(book, entry.group, entry.key)
    if entry.met_by(found):
        return None
    wanted = entry.reading
    lock = found is not None and "i" in found.options  # a lock stays, whoever made it
    options = "i" * (lock and "i" not in wanted.options) + wanted.options
    book.put(entry.group, entry.key, options, wanted.value)
    return EntryChange(
        group=entry.group,
        key=entry.key,
        found=None if found is None or "d" in found.options else found.value,
        wanted=None if "d" in wanted.options else wanted.value,
        line=line,
        found_options=found.options if found else "",
        wanted_options=wanted.options,
        default=entry.default,
    )


def _shown(value: str | None, options: str, *, absent: bool = False) -> str:
    if value is None:
        return "absent" if absent else "deleted"
    return repr(value) + (f" [${options}]" if options else "")
