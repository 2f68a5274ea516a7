"""What this process prints, made harmless: a server cannot move the cursor, hide a line or end it,
and secrets are hidden.

Lines of ours go through ``converge.report.terminal``; this is for all the rest, whoever prints it:
pyinfra shows the output of programs and its own messages about them as they came, paramiko what a
server says before its host key was looked at, Python the text of an error that nobody caught.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from converge import redact
from converge.report.terminal import plain
from tasks.reach import limits

#: The styles that pyinfra and ``converge.report.terminal`` use.
OURS = re.compile(r"(\033\[(?:[0-2]|3[1-7])(?:;(?:[0-2]|3[1-7]))*m|\n)")


def harmless(text: str) -> str:
    """``text`` with its colours and lines, every other control character written out."""
    parts = OURS.split(text)
    return "".join(part if number % 2 else plain(part) for number, part in enumerate(parts))


def _hidden(lines: redact.Lines, text: str) -> str:
    """``text`` without the secrets in it; ``lines`` remembers a key that is not over yet."""
    return "\n".join(lines(line) for line in text.split("\n"))


class Harmless:
    """A stream in front of another one: what is written through it is harmless."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.lines = redact.Lines()

    def __getattr__(self, name: str) -> Any:
        if name in ("buffer", "detach"):  # a way around; click takes it where it is there
            raise AttributeError(name)
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        self.stream.write(harmless(_hidden(self.lines, text)))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)


def cover() -> None:
    """Put this in the way of everything that this process prints from here on."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Harmless):
            setattr(sys, name, Harmless(stream))
    # What paramiko logs is raised as well; without a handler it would be printed a second time.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())


def install() -> None:
    """The same for a run of pyinfra, and limits for what it reads."""
    from pyinfra.connectors import ssh, util

    cover()
    for module in (util, ssh):
        vars(module)["read_output_buffers"] = limits.read_output_buffers
