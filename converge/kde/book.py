"""Set entries in a KDE config file with ConfigObj, and leave every other byte as it was.

In: the text of a file. Out: the line in force for an entry, and the text with entries set.

ConfigObj would reject or respell much that KConfig allows (duplicate keys, ``key[$d]``, junk, CRLF,
quotes, values in another encoding). So ConfigObj never sees the lines themselves: each line is held
as a token that is plain text in ConfigObj's syntax::

    in the file                       what ConfigObj holds
    # note, blank or skipped line     #7
    [Basic Settings]                  [Basic%20Settings@8]
    exclude folders[$e]=$HOME/a/      exclude%20folders@9 = kept

The number makes every token unique, so duplicate keys cannot collide. ``Book._lines`` maps each
token line that ConfigObj writes to its bytes. Setting an entry turns its ``kept`` into ``set``,
which maps to the new bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from converge.kde.declared import Group
from converge.kde.text import (
    ROOT,
    EntryLine,
    HeaderLine,
    KConfigError,
    Skipped,
    inner_name,
    print_entry,
    print_group,
    read_file,
)

if TYPE_CHECKING:
    from configobj import ConfigObj

#: KF6 since 6.21 stops reading a file at this many invalid entries; its next write drops the rest.
ERROR_LIMIT = 100


@dataclass(frozen=True)
class BookLine:
    """The line that KDE reads an entry from."""

    line: int
    entry: EntryLine
    section: str  # token of its header, "" above the first one
    name: str  # token of the entry


class Book:
    """The lines of one file. Raises ``KConfigError`` where KDE itself would stop reading."""

    def __init__(self, text: bytes) -> None:
        self._final_newline = not text or text.endswith(b"\n")
        self._newline = b"\r\n" if text.partition(b"\n")[0].endswith(b"\r") else b"\n"
        self._ends_blank = False
        self._added = 0
        self._lines: dict[str, bytes] = {}  # token line -> real line
        self._sections: dict[bytes, str] = {ROOT.encode(): ""}  # group -> token, first header
        self._in_force: dict[tuple[bytes, bytes], BookLine] = {}
        self._locked: set[tuple[bytes, bytes]] = set()
        self._translated: dict[tuple[bytes, bytes], int] = {}  # entry -> line of a variant
        self._rivals: dict[tuple[bytes, bytes], int] = {}  # entry -> line that KF5 takes for it
        self._token_lines = list(self._tokens(text))
        self._lines[""] = self._newline

    @cached_property
    def _config(self) -> ConfigObj:
        """The token lines for ConfigObj, which only a file needs in which an entry is set."""
        from configobj import ConfigObj

        return ConfigObj(
            self._token_lines, interpolation=False, list_values=False, raise_errors=True
        )

    def _tokens(self, text: bytes) -> Iterator[str]:
        section = ""
        errors = 0
        for placed in read_file(text):
            number, line, group = placed.number, placed.raw, placed.group
            token = f"#{number}"
            match placed.read:
                case HeaderLine():
                    section = f"{quote(group, safe='')}@{number}"
                    self._sections.setdefault(group, section)
                    token = f"[{section}]"
                case EntryLine() as entry:
                    name = f"{quote(entry.key, safe='')}@{number}"
                    token = f"{name} = kept"
                    self._note(group, BookLine(number, entry, section, name), locked=placed.locked)
                    errors += entry.error
                case Skipped() as skipped:
                    errors += skipped.counts
            if errors == ERROR_LIMIT:
                raise KConfigError(
                    f"this is invalid entry number {ERROR_LIMIT}, and KDE stops reading here",
                    line=number,
                    do="remove the broken lines: KDE's next write would drop all that follows",
                )
            self._ends_blank = not line.strip()
            self._lines[token] = line
            yield token

    def _note(self, group: bytes, line: BookLine, *, locked: bool) -> None:
        """Note a line: the last line of an entry is in force, or the first locked one."""
        entry = group, line.entry.key
        if line.entry.locale is not None:
            self._translated.setdefault(entry, line.line)
            return
        if line.entry.rival is not None:
            self._rivals.setdefault((group, line.entry.rival), line.line)
        if entry not in self._locked:
            self._in_force[entry] = line
        if locked:
            self._locked.add(entry)

    def in_force(self, group: Group, key: str) -> BookLine | None:
        """The line that KDE reads an entry from, or None. Raises ``KConfigError`` where this
        depends on the locale or on the release of KDE."""
        entry, shown = (inner_name(group), key.encode()), print_group(group).decode()
        if line := self._translated.get(entry):
            raise KConfigError(
                f"a translation of {key!r} in {shown} takes precedence over the plain key",
                line=line,
                do="remove this line, or do not declare the key",
            )
        if line := self._rivals.get(entry):
            raise KConfigError(
                f"some KDE releases take this key for {key!r} in {shown}, others do not",
                line=line,
                do="remove this line, or do not declare the key",
            )
        return self._in_force.get(entry)

    def put(self, group: Group, key: str, options: str, value: str) -> None:
        """Set an entry: in the line in force, else after the last line of its group."""
        found = self.in_force(group, key)
        section = found.section if found else self._section(group)
        name = found.name if found else self._new(key.encode())
        line = print_entry(key, options, value)
        held = self._config[section] if section else self._config
        if not section and not held.scalars and held.sections:
            self._config.comments[held.sections[0]].insert(0, "")  # KDE's blank line before a group
        held.merge({name: "set"})
        self._lines[f"{name} = set"] = line + (self._ending(found) if found else self._newline)

    def _ending(self, found: BookLine) -> bytes:
        """The line ending of a line that is changed: the changed line keeps it."""
        old = self._lines[f"{found.name} = kept"]
        return b"\r\n" if old.endswith(b"\r\n") else b"\n" if old.endswith(b"\n") else self._newline

    def _new(self, name: bytes) -> str:
        """The token of a name that is new in the file."""
        self._added += 1
        return f"{quote(name, safe='')}@new{self._added}"

    def _section(self, group: Group) -> str:
        """The token of a group; a new group begins at the end of the file, after a blank line."""
        inner = inner_name(group)
        if inner not in self._sections:
            config = self._config
            first = not (config.initial_comment or config.scalars or config.sections)
            blank = [] if first or self._ends_blank else [""]
            section = self._sections[inner] = self._new(inner)
            config[section] = {}
            config.comments[section] = config.final_comment + blank
            config.final_comment = []
            self._lines[f"[{section}]"] = print_group(group) + self._newline
            self._ends_blank = False
        return self._sections[inner]

    def text(self) -> bytes:
        """The file with the entries set; the file ends with a newline only if it did before."""
        lines = [self._lines[token] for token in self._config.write()]
        if not lines:
            return b""
        last = lines.pop()
        if not self._final_newline and last.endswith(b"\n"):
            last = last.removesuffix(b"\n").removesuffix(b"\r")
        whole = (line if line.endswith(b"\n") else line + self._newline for line in lines)
        return b"".join((*whole, last))
