"""Bring declared entries in force in a KDE config file, and leave every other byte as it was.

In: the bytes of ``kwinrc``, ``baloofilerc``, ``kdeglobals`` ... as they are now, and the declared
entries. Out: the bytes as they shall be, and what had to change, line by line. Nothing is read or
written here. docs/kconfig.md tells the rules in prose.

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
    """One entry that was not in force."""

    group: Group
    key: str  # without options
    found: str | None  # what KDE reads, variables unexpanded; None: no such entry, or deleted
    wanted: str | None  # None: deleted
    line: int | None  # the line that KDE took it from
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
    """A declared entry that somebody else changed since we last wrote it. None: deleted."""

    group: Group
    key: str
    old: str | None  # what we wrote
    found: str | None
    wanted: str | None
    line: int | None


def merge(text: bytes, desired: Desired, *, name: str = "") -> Merged:
    """``text`` with the desired entries in force, and those that were not.

    Where an entry is in force already, its line stays as it is, whatever its spelling. Else the
    line that KDE reads it from is replaced, or a line is added behind the last one of its group, or
    a group at the end. Raises KConfigError with the line that makes a desired entry impossible;
    ``name`` is the file that the message names.
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

    Variables are left as they stand. None: there is no such entry, or it is deleted.
    """
    try:
        book = Book(text)
        found: dict[tuple[Group, str], str | None] = {}
        for group, keys in entries.items():
            check_group(group)
            for spelled in keys:
                key, _ = read_spelling(spelled)
                reading, _ = _found(book, group, key)
                deleted = reading is None or "d" in reading.options
                found[group, key] = None if reading is None or deleted else reading.value
        return found
    except KConfigError as error:
        raise error.named(name) from None


def drift(
    changes: Iterable[EntryChange], last_written: Mapping[tuple[Group, str], str]
) -> tuple[Drift, ...]:
    """Those changes whose entry was in force as we last wrote it, and then somebody changed it.

    ``last_written`` is ``remembered(desired)`` of the last run that wrote. A change that is not
    drift is a plain one: a first run, or a declaration that has changed.
    """
    memory: dict[tuple[Group, str], Reading] = {}
    for (group, spelled), value in last_written.items():
        key, options = read_spelling(spelled)
        memory[group, key] = Reading(value, options)
    found: list[Drift] = []
    for change in changes:
        old = memory.get((change.group, change.key))
        if old is None:
            continue
        reading = None if change.line is None else Reading(change.found or "", change.found_options)
        if not Declared(change.group, change.key, old, change.default).met_by(reading):
            found.append(
                Drift(
                    group=change.group,
                    key=change.key,
                    old=None if "d" in old.options else old.value,
                    found=change.found,
                    wanted=change.wanted,
                    line=change.line,
                )
            )
    return tuple(found)


def _found(book: Book, group: Group, key: str) -> tuple[Reading | None, int | None]:
    """What KDE reads for one entry, and from which line."""
    found = book.in_force(group, key)
    if found is None:
        return None, None
    entry = found.entry
    value = entry.value.decode("utf-8", "replace")  # as Qt does
    return Reading(value, entry.options, entry.broken), found.line


def _apply(book: Book, entry: Declared) -> EntryChange | None:
    """Set one entry in the book unless it is in force."""
    found, line = _found(book, entry.group, entry.key)
    if entry.met_by(found):
        return None
    wanted = entry.reading
    lock = found is not None and "i" in found.options  # a lock stays, whoever put it there
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
