"""Make harmless what this process prints: a server cannot move the cursor or hide a line, and
secrets are hidden.

The project's own lines pass ``converge.report.terminal``. This module is for all other output:
pyinfra prints the output of programs, paramiko prints what a server says before its host key was
checked, Python prints errors that nobody caught.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from converge.report.terminal import plain
from converge.text import redact
from tasks.reach import limits

#: The styles that pyinfra and ``converge.report.terminal`` use.
OURS = re.compile(r"(\033\[(?:[0-2]|3[1-7])(?:;(?:[0-2]|3[1-7]))*m|\n)")


def harmless(text: str) -> str:
    """``text`` with every control character written out, except for colours and line ends."""
    parts = OURS.split(text)
    return "".join(part if number % 2 else plain(part) for number, part in enumerate(parts))


def _hidden(lines: redact.Lines, text: str) -> str:
    """``text`` without secrets; ``lines`` remembers a key that has not ended."""
    return "\n".join(lines(line) for line in text.split("\n"))


class Harmless:
    """A stream that makes text harmless and writes it to another stream."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.lines = redact.Lines()

    def __getattr__(self, name: str) -> Any:
        if name in ("buffer", "detach"):  # click would write past this stream by these
            raise AttributeError(name)
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        self.stream.write(harmless(_hidden(self.lines, text)))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)


def cover() -> None:
    """Make all that this process prints from now on pass ``Harmless``."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Harmless):
            setattr(sys, name, Harmless(stream))
    # paramiko also raises what it logs; without a handler, Python would print the log as well.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())


def install() -> None:
    """``cover`` for a run of pyinfra, with limits on the output of programs."""
    from pyinfra.connectors import ssh, util

    cover()
    for module in (util, ssh):
        vars(module)["read_output_buffers"] = limits.read_output_buffers
