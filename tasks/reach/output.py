"""What pyinfra prints, made harmless: a workspace cannot move the cursor, hide a line or end it.

pyinfra 3.10 prints the output of programs and its own messages about them as they came. Ours goes
through ``converge.report.terminal``; this is for the rest. It also reads what is not UTF-8, where
pyinfra
would stop reading and take the part before it for the whole (``connectors/util.py``).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
from pyinfra import logger
from pyinfra.api.output import set_echo
from pyinfra.connectors import util

from converge.report.terminal import plain

_OURS = re.compile(r"(\033\[(?:0|1|3[0-7])m|\n)")  # the styles that pyinfra itself uses


def harmless(text: str) -> str:
    """``text`` with its colours and lines, every other control character written out."""
    parts = _OURS.split(text)
    return "".join(part if number % 2 else plain(part) for number, part in enumerate(parts))


def _echo(message: Any = None, **options: Any) -> None:
    click.echo(harmless(message) if isinstance(message, str) else message, **options)


class _Harmless(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str):
            record.msg, record.args = harmless(record.getMessage()), None
        return True


def _lines(stream: Iterable[bytes | str]) -> Iterator[str]:
    flags = getattr(stream, "_flags", None)
    if isinstance(flags, int):  # paramiko's: it decodes by itself, strictly, unless it is binary
        stream._flags = flags | stream.FLAG_BINARY  # type: ignore[attr-defined]
    for line in stream:
        yield line if isinstance(line, str) else line.decode(errors="replace")


def install() -> None:
    """Put this in the way of everything that pyinfra reads and prints."""
    set_echo(_echo)
    for handler in logger.handlers:
        handler.addFilter(_Harmless())
    original: Callable[..., None] = util.read_buffer

    def read_buffer(name: str, io: Iterable[bytes | str], *rest: Any, **options: Any) -> None:
        original(name, _lines(io), *rest, **options)

    util.read_buffer = read_buffer
