"""An interrupt before a run has begun, and until the run answers to it. Nothing else is imported,
so that it is there at once."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130  # converge.exits.Exit.INTERRUPTED; nothing is imported this early


def hold_signals() -> None:
    """From here on an interrupt ends with 130: nothing has been connected or written yet."""
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
    """From here on an interrupt waits: its number is in the list that ``hand_over`` takes."""
    waiting: list[int] = []
    for number in SIGNALS:
        signal.signal(number, lambda one, _: waiting.append(one))
    return waiting


def hand_over(waiting: list[int], answer: Callable[[int, FrameType | None], None]) -> None:
    """From here on ``answer`` is called for an interrupt, and now for each that has waited."""
    for number in SIGNALS:
        signal.signal(number, answer)
    while waiting:
        answer(waiting.pop(0), None)
