"""Print text for a person: colour only on a terminal, tables that fit the width.

Texts of a workspace are not trusted and may have secrets: control characters never reach the
terminal, and ``converge.text.redact`` hides what it takes for a secret.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

from converge.text import redact

NARROW = 16  # columns; less would put each word on a line of its own
#: Forms that a person types, which are never broken: an option with its value; a task with its
#: options; a program, known by its option or verb, with the rest of the clause.
_TASK = r"(?:deploy|tasks/\w+)\.py"
_OPTION = r"--(?:data|limit) \S+|--?\w[\w-]*"
_TYPED = re.compile(
    r"(?<!\S)(?:"
    rf"\.venv/bin/pyinfra \S+ {_TASK}(?: (?:{_OPTION}))*"
    r"|\.venv/bin/python -m \S+(?: --\S+)* \S+"
    rf"|{_TASK}(?: (?:{_OPTION}))+"
    r"|--(?:data|limit) \S+"
    r"|(?:(?:cp|rm|git|nix-env|nix-store|ssh-keygen|usermod|chsh|systemctl) -|sudo \S|"
    r"ssh-copy-id \S|ssh -v \S|ch(?:own|mod) \S+ \S|loginctl enable-|systemctl daemon-|cd /)"
    r".*?(?=[;,)]|: | then | and |$)"
    r")"
)
#: A value that lists things, as one of KConfig; an option that does is to be typed.
_LISTED = re.compile(r"(?!-)(?:[^\s,]+,){2,}[^\s,]+")
_COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "bold": 1, "dim": 2}


def flush() -> None:
    """Write what was printed."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        _lost(error)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()


def _lost(error: Exception) -> None:
    """Say why a text could not be written, unless nobody reads any more (``| head``)."""
    if isinstance(error, OSError) and error.errno not in (errno.EPIPE, errno.EBADF):
        with contextlib.suppress(OSError, ValueError):
            print(f"output is not complete: {error.strerror}", file=sys.stderr)


class _Screen:
    """What the streams of one terminal share: the stream of the line that is passing, if any."""

    passing: TextIO | None = None


class Terminal:
    """Writes lines to ``stream``; ``width`` columns, 80 where it is not a terminal. ``beside``:
    another one, whose lines a person sees on the same screen."""

    def __init__(self, stream: TextIO | None = None, *, beside: Terminal | None = None) -> None:
        self.stream = stream or sys.stdout
        self._screen: _Screen = beside._screen if beside else _Screen()
        self.secrets = redact.Lines()
        self.colour = self.stream.isatty() and not os.environ.get("NO_COLOR")
        columns = shutil.get_terminal_size((80, 24)).columns if self.stream.isatty() else 80
        self.width = max(40, min(columns, 100))

    def style(self, text: str, *names: str) -> str:
        if not self.colour or not names:
            return text
        codes = ";".join(str(_COLOURS[name]) for name in names)
        return f"\033[{codes}m{text}\033[0m"

    def line(self, text: str = "", *styles: str) -> None:
        """Print one line in these styles. A closed stream (``| head``) is no error; characters that
        the stream cannot encode are escaped."""
        self.clear()
        shown = self.style(plain(self.secrets(text)), *styles)
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        shown = shown.encode(encoding, "backslashreplace").decode(encoding)
        try:
            print(shown, file=self.stream)
        except (OSError, ValueError) as error:
            _lost(error)
            self.stream = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process

    def wrapped(self, text: str, *styles: str, always: bool = False) -> None:
        """Print a sentence. On a terminal, or with ``always``, it is wrapped at words; elsewhere it
        stays one line, which can be searched."""
        text = redact.secrets(text)
        if not (always or self.stream.isatty()):
            self.line(text, *styles)
            return
        lead = " " * (len(text) - len(text.lstrip(" ")))
        for number, line in enumerate(wrap(text.lstrip(" "), self.width - 4)):
            self.line(f"    {line}" if number else f"{lead}{line}", *styles)

    def passing(self, text: str) -> None:
        """On a terminal, print a line that the next line replaces; elsewhere print nothing."""
        if self.stream.isatty():
            with contextlib.suppress(OSError, ValueError):
                self.clear()
                self.stream.write(fit(plain(redact.secrets(text)), self.width - 1))
                self.stream.flush()
                self._screen.passing = self.stream

    def clear(self) -> None:
        """Remove the passing line. The escape goes to the stream below a redacting wrapper."""
        passing, self._screen.passing = self._screen.passing, None
        if passing:
            with contextlib.suppress(OSError, ValueError):
                bare = getattr(passing, "stream", passing)
                bare.write("\r\033[K")
                bare.flush()

    def row(self, cells: Sequence[str], widths: Sequence[int], *styles: str) -> None:
        """Print a row of a table. The last cell takes the rest of the width and wraps. It goes on
        the next line where less than NARROW columns are left or another cell is too wide. No cell
        is cut."""
        cells = [plain(redact.secrets(cell)) for cell in cells]
        wide = [len(c) > w for c, w in zip(cells, widths, strict=False)]
        if any(wide):
            at = wide.index(True)
            lead = "  " + "".join(f"{c:<{w}}  " for c, w in zip(cells[:at], widths, strict=False))
            self.line((lead + cells[at]).rstrip(), *styles)
            cells = [*("" for _ in cells[: at + 1]), *cells[at + 1 :]]
            if not any(cells):
                return
        lead = "  " + "".join(f"{c:<{w}}  " for c, w in zip(cells, widths, strict=False))
        lines, room = [""], self.width - len(lead)
        if len(cells) > len(widths):
            lines = wrap(cells[len(widths)], room) if room >= NARROW else [""]
        for number, text in enumerate(lines):
            self.line(((lead if number == 0 else " " * len(lead)) + text).rstrip(), *styles)
        if len(cells) > len(widths) and room < NARROW:
            for text in wrap(cells[len(widths)], self.width - 6):
                self.line(" " * 6 + text, *styles)


def plain(text: str) -> str:
    """``text`` without control characters (an escape sequence could move the cursor)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)


def fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` columns. A longer word, or a command to type, stays whole on a
    line of its own; a list without blanks is broken behind its commas."""
    lines = [""]
    for word in _words(plain(text)):
        if len(word) > width and _LISTED.fullmatch(word):
            lines += _broken(word, width)
        elif lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def _broken(listed: str, width: int) -> list[str]:
    """A list without blanks in lines of at most ``width`` columns, as far as its parts allow."""
    lines = [""]
    *before, last = listed.split(",")
    for part in [*(f"{one}," for one in before), last]:
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append(part)
        else:
            lines[-1] += part
    return lines


def _words(text: str) -> list[str]:
    """The words of a sentence; a command in it is one word."""
    found, at = [], 0
    for typed in _TYPED.finditer(text):
        end = text.find(" ", typed.end())
        end = len(text) if end < 0 else end
        found += text[at : typed.start()].split(" ")[:-1]
        found.append(text[typed.start() : end])
        at = end + 1
    return found + text[at:].split(" ") if at <= len(text) else found
