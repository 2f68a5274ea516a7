"""What a run waits for, said while it waits.

On a terminal: a passing line, with the seconds so far once there are two of them. Elsewhere: a
plain line after two seconds, and after each minute that follows. Both go to standard error, beside
what a run tells on standard output. Where several workspaces are waited for, the line is of the one
that takes longest.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gevent

from converge.report.terminal import Terminal
from converge.report.words import duration

PATIENCE_S = 2.0  # nobody wonders before
AGAIN_S = 60.0  # between two lines about the same wait, where lines stay
TICK_S = 1.0

#: What each program on a workspace (``converge/remote/``) is run for.
PROGRAMS = {
    "build": "",  # its step says it
    "check": "ask what is in effect",
    "choose": "try each alternative",
    "detect": "look at the machine",
    "elsewhere": "ask its Nix",
    "estimate": "ask Nix what would be built",
    "felt": "time what a person waits for",
    "measure": "measure",
    "memory": "read the memory in use",
    "modified": "compare what was written",
    "origin": "find the file that Nix names",
    "pair": "build what is compared",
    "read": "read the workspace",
    "release": "give the lock back",
    "remove": "remove what is left",
    "transact": "the workspace is at work",
    "write": "write files",
}


@dataclass(eq=False, kw_only=True)
class Wait:
    """One thing that is waited for. ``within``: the step that it is a part of; ``note``: how far it
    has come, in a few words."""

    who: str
    name: str
    what: str
    since: float
    within: str = ""
    note: str = ""
    said: float = 0.0  # seconds after ``since`` at which a line about it stayed

    @property
    def text(self) -> str:
        parts = [self.within, *([self.what] if self.what != self.within else []), self.note]
        return ": ".join(filter(None, parts))


class Waits:
    """All that a run waits for at a time, the oldest first. ``stays``: no line passes, also on a
    terminal, since others than this run write there (``-v``)."""

    def __init__(
        self,
        terminal: Terminal,
        *,
        stays: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.terminal, self.clock = terminal, clock
        self.passes = terminal.stream.isatty() and not stays
        self.open: list[Wait] = []
        self._ticker: gevent.Greenlet | None = None

    @contextlib.contextmanager
    def waiting(self, who: str, name: str, what: str) -> Iterator[Wait]:
        """Until the end of the block ``what`` is waited for on the workspace ``name``. ``who``:
        pyinfra's name of its host."""
        outer = next((one for one in reversed(self.open) if one.who == who), None)
        within = outer.text if outer else ""
        one = Wait(who=who, name=name, what=what, since=self.clock(), within=within)
        self.open.append(one)
        self._show()
        if self._ticker is None or self._ticker.dead:
            self._ticker = gevent.spawn(self._tick)
        try:
            yield one
        finally:
            self.open.remove(one)
            if not self.open:
                self._ticker.kill(block=False)
                self.terminal.clear()

    def progress(self, who: str, note: str) -> None:
        """How far what ``who`` is waited for has come; of a host that nobody knows, the oldest."""
        if self.open:
            found = [one for one in self.open if one.who == who] or self.open[:1]
            found[-1].note = note
            self._show()

    def _tick(self) -> None:
        while self.open:
            gevent.sleep(TICK_S)
            self.tell()

    def tell(self) -> None:
        """Say what is waited for now."""
        self._show()
        if self.passes:
            return
        for one in self._innermost():
            lasted = self.clock() - one.since
            if lasted >= (one.said + AGAIN_S if one.said else PATIENCE_S):
                one.said = lasted
                self.terminal.line(f"  {one.name}: waiting, {_whole(lasted)} so far: {one.text}")

    def _innermost(self) -> list[Wait]:
        """What each workspace waits for now: the last that began there."""
        return list({one.who: one for one in self.open}.values())

    def _show(self) -> None:
        waits = self._innermost()
        if not (waits and self.passes):
            return
        one = min(waits, key=lambda one: one.since)
        lasted = self.clock() - one.since
        took = f" ({_whole(lasted)})" if lasted >= PATIENCE_S else ""
        others = f", and {len(waits) - 1} more" if len(waits) > 1 else ""
        self.terminal.passing(f"  {one.name}: {one.text}{took}{others} ...")


def _whole(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else duration(seconds)
