"""How an interrupt ends the process: before a run has begun, and before it changes anything. This
module imports nothing else of the project, so that it works at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Container
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130  # converge.exits.Exit.INTERRUPTED; nothing is imported this early


def hold_signals() -> None:
    """From here on an interrupt ends the process with 130. Only before any connection."""
    for number in SIGNALS:
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue  # nohup
        signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    name = signal.Signals(number).name
    with contextlib.suppress(OSError):
        os.write(1, f"\n{name}: interrupted (exit {INTERRUPTED}): nothing was touched\n".encode())
    os._exit(INTERRUPTED)


def defer() -> list[int]:
    """From here on an interrupt waits: its number goes into the list for ``hand_over``."""
    waiting: list[int] = []
    for number in SIGNALS:
        signal.signal(number, lambda one, _: waiting.append(one))
    return waiting


def hand_over(waiting: list[int], answer: Callable[[int, FrameType | None], None]) -> None:
    """From here on ``answer`` is called for an interrupt, and at once for each that waits."""
    for number in SIGNALS:
        signal.signal(number, answer)
    while waiting:
        answer(waiting.pop(0), None)


def end(code: int, within: Container[object]) -> None:
    """End the process through its exit handlers, from a handler of signals. ``within``: the
    greenlets that may end where they are. Another one may be reading an answer, which would be
    taken for a whole one if it ended: that one goes on, and this returns."""
    import gevent

    hub, now = gevent.get_hub(), gevent.getcurrent()
    if now in (hub, hub.parent) or now in within:  # gevent brings this to the main greenlet
        sys.exit(code)
    hub.loop.run_callback(hub.parent.throw, SystemExit(code))
