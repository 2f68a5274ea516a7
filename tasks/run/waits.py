"""Tell a person what a run waits for, while it waits.

On a terminal this is a passing line, with the seconds so far from two seconds on. Elsewhere it is a
plain line after two seconds, and again after each minute. Both go to standard error. Where the run
waits for several workspaces, the line is about the longest wait.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gevent

from converge.report.terminal import Terminal, fit
from converge.report.words import duration

PATIENCE_S = 2.0  # a shorter wait is not told
AGAIN_S = 60.0  # between two plain lines about the same wait
TICK_S = 1.0

#: Program of ``converge/remote/`` -> what the run waits for while it runs.
PROGRAMS = {
    "build": "",  # the step itself tells
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
    "take": "take the lock",
    "transact": "the workspace is at work",
    "write": "write files",
}


@dataclass(eq=False, kw_only=True)
class Wait:
    """One wait. ``within``: the step that the wait is a part of; ``note``: its progress, in a few
    words."""

    who: str
    name: str
    what: str
    since: float
    within: str = ""
    note: str = ""
    said: float = 0.0  # seconds after ``since`` at which the last plain line was printed

    @property
    def text(self) -> str:
        return ": ".join(self._parts())

    def fitting(self, width: int) -> str:
        """The text; where it is wider, its last parts, which say most, and at least the last one's
        beginning."""
        parts = self._parts()
        while len(parts) > 1 and len(": ".join(parts)) > width:
            del parts[0]
        return fit(": ".join(parts), max(20, width))

    def _parts(self) -> list[str]:
        parts = [self.within, *([self.what] if self.what != self.within else []), self.note]
        return list(filter(None, parts))


class Waits:
    """All present waits of a run, oldest first. ``stays``: print plain lines also on a terminal,
    because pyinfra writes there too (``-v``)."""

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
        self._ended: dict[str, tuple[Wait, float]] = {}  # by ``who``: the last one, and when

    @contextlib.contextmanager
    def waiting(self, who: str, name: str, what: str) -> Iterator[Wait]:
        """Tell, until the end of the block, that the run waits for ``what`` on the workspace
        ``name``. ``who``: pyinfra's name of its host."""
        outer = next((one for one in reversed(self.open) if one.who == who), None)
        within = outer.text if outer else ""
        one = Wait(who=who, name=name, what=what, since=self.clock(), within=within)
        last, ended = self._ended.get(who, (one, one.since))
        if last.text == one.text and one.since - ended < TICK_S:  # the same, asked in turns
            one.since, one.said = last.since, last.said
        self.open.append(one)
        self._show()
        if self._ticker is None or self._ticker.dead:
            self._ticker = gevent.spawn(self._tick)
        try:
            yield one
        finally:
            self.open.remove(one)
            self._ended[who] = one, self.clock()
            if not self.open:
                self._ticker.kill(block=False)
                self.terminal.clear()

    def progress(self, who: str, note: str) -> None:
        """Note the progress of the host ``who``; without such a host, that of the oldest wait."""
        if self.open:
            waits = [wait for wait in self.open if wait.who == who] or self.open[:1]
            waits[-1].note = note
            self._show()

    def _tick(self) -> None:
        while self.open:
            gevent.sleep(TICK_S)
            self.tell()

    def tell(self) -> None:
        """Print a line about the present waits, where one is due."""
        self._show()
        if self.passes:
            return
        for one in self._innermost():
            lasted = self.clock() - one.since
            if lasted >= (one.said + AGAIN_S if one.said else PATIENCE_S):
                one.said = lasted
                said = f"  {one.name}: waiting, {_whole(lasted)} so far: "
                self.terminal.line(said + one.fitting(self.terminal.width - len(said)))

    def _innermost(self) -> list[Wait]:
        """The present wait of each workspace: the one that began last."""
        return list({one.who: one for one in self.open}.values())

    def _show(self) -> None:
        waits = self._innermost() if self.passes else []
        if not waits:
            return
        one = min(waits, key=lambda one: one.since)
        lasted = self.clock() - one.since
        took = f" ({_whole(lasted)})" if lasted >= PATIENCE_S else ""
        others = f", and {len(waits) - 1} more" if len(waits) > 1 else ""
        self.terminal.passing(f"  {one.name}: {one.text}{took}{others} ...")


def _whole(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else duration(seconds)
