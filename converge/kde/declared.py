"""Declared entries of KDE config files, and whether a file meets the declaration.

In: entries as a setting declares them. Out: the same entries, checked one by one, which can be
compared with entries of a file. Raises ``KConfigError`` for what KConfig could not read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from converge.kde.text import KConfigError, check_group, check_value, print_group, read_spelling

#: A group as the tuple of its parts, ``[A][B]`` is ("A", "B").
Group = tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A declared value, and optionally the value that KDE uses when the file has no such entry.

    Baloo and KWin drop an entry that equals their default, so a declared value can be in force
    without a line in the file. Where ``default`` equals ``value``, an absent or deleted entry
    counts as in force: it is neither written nor reported. An entry with another value gets the
    declared value; its line is never removed.

    Where a lower file sets the entry, its value takes the place of the default
    (``converge.kde.lower``).
    """

    value: str
    default: str | None = None


Desired = Mapping[Group, Mapping[str, str | Entry]]


@dataclass(frozen=True)
class Reading:
    """One entry as declared or as found, comparable by meaning."""

    value: str
    options: str = ""
    broken: bool = False

    def meets(self, wanted: Reading) -> bool:
        """Whether KDE behaves the same with both. A lock that ``wanted`` lacks does not count."""
        if self.broken or ("i" in wanted.options and "i" not in self.options):
            return False
        if ("d" in self.options) != ("d" in wanted.options) or self.value != wanted.value:
            return False
        return "$" not in self.value or ("e" in self.options) == ("e" in wanted.options)


@dataclass(frozen=True)
class Declared:
    """One checked entry of a declaration."""

    group: Group
    key: str
    reading: Reading
    default: str | None

    def met_by(self, found: Reading | None) -> bool:
        if found is not None and found.meets(self.reading):
            return True
        absent = found is None or "d" in found.options
        return absent and self.default == self.reading.value and self.reading.options in ("", "e")


def remembered(desired: Desired) -> dict[tuple[Group, str], str]:
    """(group, declared key) -> value: what a run keeps for ``merge.drift`` of the next run."""
    return {
        (group, spelled): entry.value if isinstance(entry, Entry) else entry
        for group, keys in desired.items()
        for spelled, entry in keys.items()
    }


def declared(entries: Mapping[str, Mapping[str, object]]) -> dict[Group, dict[str, str | Entry]]:
    """Desired entries from plain data (a setting's row, JSON).

    A group is a name, or ``[A][B]`` for a nested one; a value is a string, or
    ``{"value": ..., "default": ...}``. Raises KConfigError.
    """
    desired: dict[Group, dict[str, str | Entry]] = {}
    for spelled, keys in entries.items():
        group = _group(spelled)
        if group in desired:
            raise KConfigError(f"group {spelled!r} is declared in two spellings")
        desired[group] = {key: _entry(key, value) for key, value in keys.items()}
    return desired


def _group(spelled: str) -> Group:
    if spelled.startswith("[") and spelled.endswith("]"):
        if spelled.endswith("[$i]"):
            raise KConfigError(f"group {spelled!r}: the lock of a group cannot be declared")
        return tuple(spelled[1:-1].split("]["))
    return (spelled,)


def _entry(key: str, value: object) -> str | Entry:
    match value:
        case str():
            return value
        case {"value": str(text), **rest} if rest.keys() <= {"default"}:
            default = rest.get("default")
            if default is None or isinstance(default, str):
                return Entry(text, default)
    raise KConfigError(
        f"key {key!r}: {value!r} is neither a string nor {{'value': ..., 'default': ...}}",
        do="write values as KDE does: 'true', '0.5'",
    )


def checked(desired: Desired) -> list[Declared]:
    """The declaration entry by entry; KConfigError for what KConfig could not read back."""
    wanted: list[Declared] = []
    spellings: dict[tuple[Group, str], str] = {}
    for group, keys in desired.items():
        check_group(group)
        shown = print_group(group).decode()
        for spelled, entry in keys.items():
            key, options = read_spelling(spelled)
            other = spellings.setdefault((group, key), spelled)
            if other != spelled:
                raise KConfigError(f"{shown}: {other!r} and {spelled!r} are the same entry")
            entry = entry if isinstance(entry, Entry) else Entry(entry)
            check_value(entry.value)
            if entry.default is not None:
                check_value(entry.default)
            if "d" in options and entry != Entry(""):
                raise KConfigError(
                    f"{shown}: {spelled!r} is deleted and has a value", do="write ''"
                )
            wanted.append(Declared(group, key, Reading(entry.value, options), entry.default))
    return wanted
