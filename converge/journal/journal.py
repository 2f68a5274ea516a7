"""The fsynced JSON Lines record of one run. Every message and every report is derived from it.

A record is a flat JSON object: ``run``, ``seq`` (from 1), ``time`` (UTC, ISO 8601), ``kind``,
``workspace`` ("" for the run itself) and the fields of its kind (``schemas/journal.schema.json``).
Each record passes ``converge.redact`` first.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from converge import redact

Record = dict[str, object]


class JournalError(Exception):
    """The journal cannot be written: nothing may be changed without a record of it."""


def new_run_id(clock: Callable[[], float] = time.time) -> str:
    """``YYYYMMDDThhmmss-xxxx``: sorts by time, safe as a file name on both sides."""
    stamp = datetime.fromtimestamp(clock(), UTC).strftime("%Y%m%dt%H%M%S")
    return f"{stamp}-{secrets.token_hex(2)}"


def controller_state() -> Path:
    """Directory on the controller for journals and saved plans."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "workspace-tuning" / "controller"


class Journal:
    """Append-only. ``listeners`` get each record after it is on disk."""

    def __init__(self, directory: Path, run: str) -> None:
        self.run = run
        self.path = directory / run / "journal.jsonl"
        self.records: list[Record] = []
        self.listeners: list[Callable[[Record], None]] = []
        try:
            self.path.parent.mkdir(parents=True, mode=0o700)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._fd = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise JournalError(f"{self.path}: {error.strerror}") from error

    def append(self, kind: str, *, workspace: str = "", **fields: object) -> Record:
        """Write one record through to the disk.

        Raises ``JournalError`` when it is not certain to be there."""
        record: Record = {
            "run": self.run,
            "seq": len(self.records) + 1,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "kind": kind,
            "workspace": workspace,
            **redact.record(fields),
        }
        text = json.dumps(record, ensure_ascii=False)
        # A file name that is not UTF-8 arrives as lone surrogates; JSON can spell those.
        line = (text + "\n").encode(errors="backslashreplace")
        try:
            # Before the sync: a signal that ends the run in there must not give a number twice.
            self._write(line)
            self.records.append(record)
            os.fsync(self._fd)
        except OSError as error:
            raise JournalError(f"{self.path}: {error.strerror}") from error
        for listener in self.listeners:
            listener(record)
        return record

    def _write(self, line: bytes) -> None:
        """The whole line or nothing of it, so that the journal can be read to its end."""
        size = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, size)
            raise

    def of(self, workspace: str, kind: str) -> Iterator[Record]:
        """The records of one kind for one workspace, in order."""
        return (r for r in self.records if r["kind"] == kind and r["workspace"] == workspace)


def read(path: Path) -> tuple[Record, ...]:
    """The records of a journal; a torn last line (the power failed in it) is left out."""
    records = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(record, dict):
            break
        records.append(record)
    return tuple(records)
