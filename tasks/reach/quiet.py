"""Leave out what pyinfra tells about its own steps: a run has words of its own for that.

``-v`` shows all of it. What is wrong is always said.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import click
from pyinfra import logger
from pyinfra.api.output import set_echo

from converge.report.terminal import Terminal

_STYLE = re.compile(r"\033\[[0-9;]*m")
_BUILDING = re.compile(r"building '/\S*/[a-z0-9]{32}-(.*)\.drv'")
#: Of the messages of a build what a person should know; the rest is in Nix's own log.
_WORTH = re.compile(r"(?:trace: )?((?:warning: workspace-tuning|error\b).*)")


#: What ``tasks.run.run`` says as well, with what to do.
_TOLD = ("is neither an inventory file", "No host matches found for --limit")
#: What pyinfra says of its own operation: a run tells how each of its steps ended.
_OPERATION = re.compile(r"Error: .*executed \d+ commands")


class _Ours(logging.Filter):
    """Nothing that a run says itself: of an inventory, a connection, a step that failed."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = _STYLE.sub("", str(record.msg))
        said = any(one in text for one in _TOLD) or bool(_OPERATION.search(text))
        said = said or (record.module, record.funcName) == ("host", "connect")
        return record.levelno > logging.INFO and not said


def hush() -> None:
    """From here on pyinfra's log says what is wrong, and nothing else."""
    if not any(isinstance(one, _Ours) for one in logger.filters):
        logger.addFilter(_Ours())


class _Click:
    """click, for ``pyinfra_cli.cli``, without what contradicts a run that shows every byte."""

    def __getattr__(self, name: str) -> Any:
        return getattr(click, name)

    @staticmethod
    def echo(message: Any = None, **options: Any) -> None:
        if "may not include every change" not in str(message):
            click.echo(message, **options)


def _confirm(question: str) -> bool:
    """In place of pyinfra's question: what is asked about stands above it."""
    click.echo("  Press enter to apply this, write no to leave it: ", err=True, nl=False)
    return not input().strip()


class Building:
    """What a program prints while it runs: on a terminal the derivation that is being built."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal, self.built = terminal, 0

    def echo(self, message: Any = None, **options: Any) -> None:
        text = _STYLE.sub("", str(message))
        building = _BUILDING.search(text)
        if building:
            self.built += 1
            self.terminal.passing(f"  building {self.built}: {building[1]} ...")
        elif worth := _WORTH.match(text.partition("] ")[2]):
            self.terminal.wrapped(f"  {worth[1]}")


def install(*, whole: bool = False) -> None:
    """Put this in the way of what pyinfra prints. ``whole``: only of its question."""
    from pyinfra_cli import cli

    cli._do_confirm = _confirm
    if not whole:
        hush()
        set_echo(Building(Terminal(sys.stderr)).echo)
        cli.click = _Click()
        cli.print_meta = cli.print_results = lambda _state: None
