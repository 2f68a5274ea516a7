"""Readers of the few words that a program prints: its bytes, its reason, how its work stands."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from converge.exits import Exit, Outcome
from converge.report import terminal
from converge.text import reason, redact
from tasks.reach import limits, nix, output
from tasks.reach.remote import Answer
from tasks.run.stages import Over
from tasks.steps import activate, build, lock, transaction


def lines(data: bytes) -> list[str]:
    """As ``tasks.reach.limits`` makes lines of what arrives."""
    rows = [row.decode(errors="replace") for row in data.split(b"\n")]
    return rows if rows[-1] else rows[:-1]


class _Work:
    """A workspace whose programs print what they like."""

    verbose = False

    def __init__(self, said: Any) -> None:
        self.said = said
        self.run = SimpleNamespace(verbose=False, terminal=SimpleNamespace(row=lambda *_: None))
        self.choices = SimpleNamespace(deadline_s=300)

    def problem(self, text: str) -> None:
        json.dumps(redact.harmless(redact.record({"kind": "problem", "text": text})))


def words(data: bytes) -> None:
    rows = tuple(lines(data))
    shown = io.StringIO()
    covered: Any = output.Harmless(shown)
    for row in rows:
        print(terminal.plain(row), row, file=covered)
        for derivation in (False, True):
            with contextlib.suppress(nix.Refused):
                path = nix.store_path(row, derivation=derivation)
                assert path.startswith("/nix/store/") and " " not in path
    seen = output.OURS.sub("", shown.getvalue())
    assert all(one.isprintable() for one in seen if one != "\t"), "a control character is shown"
    reason.reason(rows)
    for ok, lost in ((True, False), (False, False), (False, True)):
        said = Answer(ok=ok, lines=rows, errors=rows, lost=lost)
        _ = (said.reason, said.last_error)
        work: Any = _Work(said)
        word, why = transaction.standing(said)
        for other in ("kept", "undone", "broken", "none", "gone", word):
            assert isinstance(activate.meaning(work, other, why)[1], (Exit, Outcome))
        with contextlib.suppress(Over):
            lock.done(said)
        build.summary(rows)
        build.tell(work, said)


def words_seeds() -> Iterator[bytes]:
    yield b"done\npath /nix/store/" + b"a" * 32 + b"-name\n"
    yield b"locked\nlock run r\nlock host h\n"
    yield b"status undone nothing was changed: stale /x\n"
    yield (
        b"error:\n       \xe2\x80\xa6 while evaluating\n         at /x/flake.nix:1:2:\n"
        b"            1| x\n       error: it is not there\n"
    )
    yield b"these 2 derivations will be built:\n  /nix/store/x.drv\n"
    yield b"these paths will be fetched (1.5 MiB download, 3 MiB unpacked):\n  /nix/store/y\n"
    yield b"stale /home/me/x\nfailed to write\nPASSWORD=hunter2 https://user:token@host/?sig=1\n"


def stream(data: bytes) -> None:
    """What arrives, before it is lines."""
    for shown in (False, True):
        answer = limits._Answer(shown)
        found = list(answer.lines("stdout", io.BytesIO(data)))
        assert found == lines(data), "no byte is lost or doubled"


def stream_seeds() -> Iterator[bytes]:
    yield b"one\n\ntwo\n\xff three"
    yield b"\n"
