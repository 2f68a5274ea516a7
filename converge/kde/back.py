"""The record of what a run changes in a KDE file, entry by entry, so that an undo can go back.

In: the bytes of a file before and after a run, and what was declared. Out: the entries whose
meaning the run changed, and their record as ``remote/entries.awk`` reads it on the workspace.

KDE rewrites its files all the time, so at an undo a file seldom has the bytes that the run wrote.
Each entry of the record then goes back to its old value, unless somebody changed it since:

1. The line in force means what it meant before the run: nothing to do. A line with a lock or
   another option of the run's does not mean the same.
2. The line in force still means what the run wrote (``Reading.meets``), or KDE dropped the entry
   because it equals its default: the old line comes back. An entry that the run added is removed,
   and so is the header of a group that the run added and that holds nothing else.
3. Anything else: somebody changed the entry. The line stays, and the undo names the entry.

An entry may have several lines, of which KConfig reads one. While all lines are those of the run,
all old lines take their place. Otherwise the rules above hold for the line in force, and a line of
the run that would come into force after it is removed.

One line of a record; a blank separates the fields; names and lines are hexadecimal, so that they
can have any byte::

    entry GROUP KEY LOCALE OURS DEFAULT WAS LINE LOCKED HEADER NEW OUR_LINES OLD_LINES NAME

GROUP ``g``, KEY ``k`` and the name as KConfig holds it. LOCALE ``-``, or ``l`` and the locale.
OURS, WAS: ``-`` for no such entry; else options, ``:``, value, and ``!`` where KDE releases read
the value differently. DEFAULT ``-``, or ``v`` and the value. LINE from before without its ending,
``-`` where there was none; LOCKED the same with a lock. HEADER: the line of the group's header,
``-`` above the first. NEW: ``new`` where the file had no such group, else ``old``. OUR_LINES,
OLD_LINES: all lines of an entry with several lines, after the run and before it, with commas
between; ``-`` for no line, and in both where no side has several. NAME: the entry for a person. The
last line is ``end``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from converge.kde.declared import Desired, Entry
from converge.kde.text import (
    ROOT,
    SEPARATOR,
    EntryLine,
    HeaderLine,
    inner_name,
    read_file,
    read_spelling,
)

#: Group, key and locale identify an entry. Bytes as KConfig holds them.
Identity = tuple[bytes, bytes, bytes | None]


@dataclass(frozen=True, kw_only=True)
class LineInForce:
    """The line that is in force for an entry."""

    entry: EntryLine
    line: bytes  # without its ending
    header: bytes  # the header above the line, without its ending


@dataclass(frozen=True, kw_only=True)
class Back:
    """One entry that a run changed. ``was``: its line before; ``ours``: its line after the run;
    None for no such entry."""

    identity: Identity
    was: LineInForce | None
    ours: LineInForce | None
    default: str | None  # declared; equal to the declared value
    new_group: bool
    our_lines: tuple[bytes, ...] = ()  # of an entry that stands more than once on one side
    old_lines: tuple[bytes, ...] = ()

    @property
    def repeated(self) -> bool:
        """Whether the entry stands more than once, after the run or before it."""
        return max(len(self.our_lines), len(self.old_lines)) > 1

    @property
    def name(self) -> str:
        """The entry for a person, on one line."""
        group, key, locale = self.identity
        parts = group.decode(errors="replace").split(SEPARATOR)
        shown = "".join(f"[{part}]" for part in parts) + f" {key.decode(errors='replace')}"
        if locale is not None:
            shown += f"[{locale.decode(errors='replace')}]"
        return "".join(char if char.isprintable() else "?" for char in shown)

    @property
    def line(self) -> str:
        """The entry in a record."""
        group, key, locale = self.identity
        either = self.was or self.ours
        assert either is not None
        was = self.was
        fields = (
            "entry",
            f"g{group.hex()}",
            f"k{key.hex()}",
            "-" if locale is None else f"l{locale.hex()}",
            reading(self.ours),
            "-" if self.default is None else f"v{self.default.encode().hex()}",
            reading(was),
            was.line.hex() if was else "-",
            locked(was).hex() if was else "-",
            either.header.hex() or "-",
            "new" if self.new_group else "old",
            ",".join(line.hex() for line in self.our_lines) or "-",
            ",".join(line.hex() for line in self.old_lines) or "-",
            self.name,
        )
        return " ".join(fields)


def in_force(text: bytes) -> Mapping[Identity, LineInForce]:
    """The line in force for every entry of a file: the last one, or the first locked one."""
    return _held(text).in_force


@dataclass(frozen=True)
class _Held:
    """What one reading of a file finds; ``repeated``: all lines of an entry that has several."""

    in_force: Mapping[Identity, LineInForce]
    groups: frozenset[bytes]  # that have a header
    repeated: Mapping[Identity, tuple[bytes, ...]]

    def lines(self, identity: Identity) -> tuple[bytes, ...]:
        one = self.in_force.get(identity)
        return self.repeated.get(identity) or ((one.line,) if one else ())


@lru_cache(maxsize=4)  # a plan asks for the same bytes of a file again: live, source, before, after
def _held(text: bytes) -> _Held:
    found: dict[Identity, LineInForce] = {}
    lines: defaultdict[Identity, list[bytes]] = defaultdict(list)
    fixed: set[Identity] = set()
    groups = {ROOT.encode()}
    header = b""
    for placed in read_file(text):
        line = placed.raw.removesuffix(b"\n").removesuffix(b"\r")
        if isinstance(placed.read, HeaderLine):
            header = line
            groups.add(placed.group)
        elif isinstance(placed.read, EntryLine):
            identity = placed.group, placed.read.key, placed.read.locale
            lines[identity].append(line)
            if identity not in fixed:
                found[identity] = LineInForce(entry=placed.read, line=line, header=header)
            if placed.locked:
                fixed.add(identity)
    repeated = {identity: tuple(all_) for identity, all_ in lines.items() if len(all_) > 1}
    return _Held(MappingProxyType(found), frozenset(groups), MappingProxyType(repeated))


def changed(before: bytes | None, after: bytes, desired: Desired) -> tuple[Back, ...]:
    """The entries whose meaning is another one in ``after``, and those that stand more than once
    whose lines are others; ``before`` None: there was no file."""
    old, new = _held(before or b""), _held(after)
    defaults = _defaults(desired)
    found: list[Back] = []
    for identity in {**new.in_force, **old.in_force}:
        was, ours = old.in_force.get(identity), new.in_force.get(identity)
        repeated = identity in old.repeated or identity in new.repeated
        if repeated:
            same = old.lines(identity) == new.lines(identity)
        else:  # the same line means the same; most are
            same = was == ours or reading(was) == reading(ours)
        if not same:
            found.append(
                Back(
                    identity=identity,
                    was=was,
                    ours=ours,
                    default=defaults.get(identity),
                    new_group=identity[0] not in old.groups,
                    our_lines=new.lines(identity) if repeated else (),
                    old_lines=old.lines(identity) if repeated else (),
                )
            )
    return tuple(found)


def encode(entries: Iterable[Back]) -> bytes:
    """The record of these entries; its last line shows that it is whole."""
    return "".join(f"{entry.line}\n" for entry in entries).encode() + b"end\n"


def locked(was: LineInForce) -> bytes:
    """The old line with a lock, for an entry that somebody locked since."""
    if "i" in was.entry.options or "d" in was.entry.options:
        return was.line
    key, equals, value = was.line.partition(b"=")
    return key.rstrip(b" \t\r\v\f") + b"[$i]" + equals + value


def reading(line: LineInForce | None) -> str:
    """What KDE reads from a line, to compare: options, value, and ``!`` where releases disagree."""
    if line is None:
        return "-"
    entry = line.entry
    return f"{entry.options}:{entry.value.hex()}{'!' * entry.broken}"


def _defaults(desired: Desired) -> Mapping[Identity, str]:
    """Entries that are in force where they are absent, because the value is KDE's default."""
    defaults: dict[Identity, str] = {}
    for group, keys in desired.items():
        for spelled, entry in keys.items():
            key, options = read_spelling(spelled)
            if isinstance(entry, Entry) and entry.default == entry.value and options in ("", "e"):
                defaults[inner_name(group), key.encode(), None] = entry.value
    return defaults
