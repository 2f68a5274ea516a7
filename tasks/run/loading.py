"""Import what a command needs while the first workspace is read and the others are connected."""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import gevent

from tasks.run import start

_begun = False


def begin(command: Path) -> None:
    """Import the modules of the project that the command's file names, beside what waits; once."""
    global _begun
    if not _begun:
        _begun = True
        gevent.spawn(_load, command)


def _load(command: Path) -> None:
    # What is wrong with a module is told where the command imports it itself.
    with contextlib.suppress(Exception):
        for name in _named(command):
            if name not in sys.modules:
                import_module(name)
                gevent.sleep(0)  # let a connection go on


def _named(command: Path) -> Iterator[str]:
    """The modules of ``from tasks.steps import a, b`` and of ``from tasks.run.stages import C``."""
    for node in ast.parse(command.read_bytes()).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tasks."):
            if start.PROJECT.joinpath(*node.module.split(".")).is_dir():
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module
