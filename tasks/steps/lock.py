"""Take the lock of a workspace, and check how a write ended."""

from __future__ import annotations

import os
import socket
import time

from converge.exits import Exit
from converge.text.reason import with_remedy
from tasks.reach.login import own_name
from tasks.reach.remote import Answer
from tasks.run.stages import Over, Read

UNTOUCHED = "this run has changed nothing"


def take_lock(work: Read) -> None:
    """Take the lock of the workspace. Raises ``Over`` where another run holds it."""
    done(work.remote("take", *arguments(work)), safe=UNTOUCHED)


def arguments(work: Read) -> tuple[str, str, str]:
    """The arguments of ``remote/take.sh``."""
    return work.run.id, work.lock, controller()


def controller() -> str:
    """Host, user, process and time of this run, for a person who finds the workspace locked."""
    return f"{_word(socket.gethostname())} {_word(own_name())} {os.getpid()} {int(time.time())}"


def _word(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c in "-._") or "unknown"


def done(answer: Answer, *, safe: str = "no change is in force") -> None:
    """Raise ``Over`` where a write failed; ``safe``: what holds then."""
    if answer.of("done"):
        return
    if answer.of("locked"):
        holder = dict(line.partition(" ")[::2] for line in answer.of("lock"))
        raise Over(
            f"locked by run {holder.get('run')} of {holder.get('host')}",
            Exit.LOCKED,
            short="locked by another run",
        )
    if answer.lost:
        raise Over(
            "the connection was lost: each file is wholly old or wholly new; the next run tells",
            Exit.UNKNOWN,
            short=f"connection lost: {answer.last_error}",
        )
    if answer.of("stale"):
        raise Over(f"{answer.first('stale')} was changed since it was read; nothing was written")
    if refused := answer.first("refused"):
        raise Over(refused)
    raise Over(with_remedy(answer.last_error, safe))
