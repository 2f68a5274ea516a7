"""Silence pyinfra's messages about its own steps, since a run has its own messages.

``-v`` shows all of them. Errors are always shown.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import click
from pyinfra import logger
from pyinfra.api.output import set_echo

from converge.report.terminal import Terminal

_STYLE = re.compile(r"\033\[[0-9;]*m")
#: A segment of a path ends where the next begins, so that a long line takes no longer than it is.
_BUILDING = re.compile(r"building '(?:/[^\s'/]*)*/[a-z0-9]{32}-([^\s'/]*)\.drv'")
_PLANNED = re.compile(r"(?:these (\d+) derivations|this derivation) will be built")
#: The messages of a build that a person should see; the others are in Nix's own log.
_WORTH = re.compile(r"(?:trace: )?((?:warning: workspace-tuning|error\b).*)")
_MESSAGES, _WIDEST = 100, 2000  # of one workspace, and characters of each: a build runs for hours


#: Messages that ``tasks.run.run`` replaces by its own, with what to do.
_TOLD = ("is neither an inventory file", "No host matches found for --limit")
#: pyinfra's message about its operation: a run says itself how each step ended.
_OPERATION = re.compile(r"Error: .*executed \d+ commands")


class _Ours(logging.Filter):
    """Drops messages that a run says itself: about an inventory, a connection, a failed step."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = _STYLE.sub("", str(record.msg))
        said = any(one in text for one in _TOLD) or bool(_OPERATION.search(text))
        said = said or (record.module, record.funcName) == ("host", "connect")
        return record.levelno > logging.INFO and not said


def hush() -> None:
    """From here on pyinfra's log shows nothing that a run says itself."""
    if not any(isinstance(each, _Ours) for each in logger.filters):
        logger.addFilter(_Ours())


class _Click:
    """click for ``pyinfra_cli.cli``, without messages that contradict those of a run."""

    def __getattr__(self, name: str) -> Any:
        return getattr(click, name)

    @staticmethod
    def echo(message: Any = None, **options: Any) -> None:
        if "may not include every change" not in str(message):
            click.echo(message, **options)


def _confirm(question: str) -> bool:
    """Ask in place of pyinfra; the changes are shown above the question."""
    click.echo("  Press enter to apply this, write no to leave it: ", err=True, nl=False)
    return input().strip().lower() in ("", "y", "yes")  # what people write at other questions


class Builds:
    """Reads what Nix prints while it builds, and counts the derivations of each host. ``tell``:
    takes a host and how far its build has come."""

    def __init__(self, terminal: Terminal, tell: Callable[[str, str], None]) -> None:
        self.terminal, self.tell = terminal, tell
        self.begun: Counter[str] = Counter()
        self.of: dict[str, int] = {}
        self.said: Counter[str] = Counter()

    def echo(self, message: Any = None, **options: Any) -> None:
        prefix, _, text = _STYLE.sub("", str(message)).partition("] ")
        host = prefix.strip().removeprefix("[")
        if planned := _PLANNED.match(text):
            self.begun[host], self.of[host] = 0, int(planned[1] or 1)
        elif building := _BUILDING.search(text):
            self.begun[host] += 1
            most = self.of.get(host, 0)
            number = f"{self.begun[host]}" + (f" of {most}" if most >= self.begun[host] else "")
            self.tell(host, f"derivation {number}, {building[1]}")
        elif worth := _WORTH.match(text):
            self.said[host] += 1
            if self.said[host] <= _MESSAGES:
                self.terminal.wrapped(f"  {worth[1][:_WIDEST]}")
            elif self.said[host] == _MESSAGES + 1:
                self.terminal.line(f"  {host} says more than {_MESSAGES} errors: nix log has them")


def install(terminal: Terminal, tell: Callable[[str, str], None], *, whole: bool = False) -> None:
    """Silence pyinfra. ``whole`` (``-v``): replace only its question; ``tell``: as in
    ``Builds``."""
    from pyinfra_cli import cli

    cli._do_confirm = _confirm
    if not whole:
        hush()
        set_echo(Builds(terminal, tell).echo)
        cli.click = _Click()
        cli.print_meta = cli.print_results = lambda _state: None
