"""Write the journal of one run; each line is on the disk before the next step begins.

Each record passes ``converge.text.redact`` first; ``converge.journal.journal`` reads it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from converge.journal.form import forms, plain, taken
from converge.journal.journal import Line
from converge.journal.kinds import (
    WORDS,
    DifferenceRecord,
    DriftRecord,
    EstimateRecord,
    FindingRecord,
    OtherRecord,
    PlanRecord,
    Record,
    ResultRecord,
    RunStartRecord,
    SnapshotRecord,
    VerdictRecord,
)
from converge.text import redact

OURS = "workspace-tuning"  # all in the directory of this name belongs to this project
#: What a run finds, and how it ended. The sync of the next other record brings these to the disk,
#: and each step begins and ends with such a one: a run has dozens, and a sync takes milliseconds.
NOT_SYNCED = (
    *(RunStartRecord, SnapshotRecord, VerdictRecord, PlanRecord, DriftRecord),
    *(EstimateRecord, DifferenceRecord, FindingRecord, ResultRecord),
)

KEPT = 500  # runs of which the controller keeps the journal
_RUN = re.compile(r"[0-9]{8}t[0-9]{6}-[0-9a-f]{4}")


class JournalError(Exception):
    """The journal cannot be written, so nothing may be changed."""


class _Taken(JournalError):
    """Another run has this id: both began in one second, and drew the same four digits."""


def new_run_id(clock: Callable[[], float] = time.time) -> str:
    """``YYYYMMDDThhmmss-xxxx``: sorts by time, safe as a file name on both sides."""
    stamp = datetime.fromtimestamp(clock(), UTC).strftime("%Y%m%dt%H%M%S")
    return f"{stamp}-{secrets.token_hex(2)}"


def private(directory: Path) -> None:
    """Make a directory with mode 0700, whatever the umask. Raises OSError.

    An existing directory has to belong to the user and must not be writable for others; so must
    each directory above up to this project's own. In those above that one no other user than root
    may be able to rename what lies there; a group that may write is trusted."""
    for one in (*reversed(directory.parents), directory):
        with contextlib.suppress(FileExistsError):
            one.mkdir(mode=0o700)
    above = [parent.name for parent in directory.parents]
    known = directory.parents[: above.index(OURS) + 1] if OURS in above else ()
    for one in (directory, *known):
        status = one.lstat()
        if status.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, f"{one} belongs to somebody else")
        if status.st_mode & 0o022:
            raise PermissionError(errno.EPERM, f"others can write to {one}: chmod go-w {one}")
    # In a container, root of the machine is mapped to nobody: the owner of /proc/sys.
    trusted = {0, os.geteuid(), Path("/proc/sys").stat().st_uid}
    for one in directory.resolve().parents:
        status = one.stat()
        shared = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in trusted or shared:
            raise PermissionError(errno.EPERM, f"another user can replace what is in {one}")


def prune(directory: Path, own: str) -> None:
    """Remove the journals of all but the newest ``KEPT`` runs, by the time in their names. The run
    ``own`` always stays, since the clock may have been set back.

    Links, directories of other names and directories with other files stay. What cannot be removed
    stays too, without an error."""
    runs = sorted(path for path in directory.iterdir() if _RUN.fullmatch(path.name))
    for run in runs[:-KEPT]:
        with contextlib.suppress(OSError):
            held = [path.name for path in run.iterdir()]
            if run.name != own and not run.is_symlink() and held == ["journal.jsonl"]:
                (run / "journal.jsonl").unlink()
                run.rmdir()


def _safe(record: Any) -> tuple[dict[str, Any], Any]:
    """A record as JSON values without secrets, and as a reader gets it."""
    fields = {form.name: getattr(record, form.name) for form in forms(type(record))}
    parts = {
        name: one
        for name, one in fields.items()
        if isinstance(one, tuple) and one and is_dataclass(one[0])
    }
    if not parts:
        try:
            return _remembered(record)
        except TypeError:  # it has a mapping
            return _made(record)
    values, read = _made(replace(record, **dict.fromkeys(parts, ())))
    each = {name: [_remembered(one) for one in found] for name, found in parts.items()}
    return (
        {**values, **{name: [one for one, _ in found] for name, found in each.items()}},
        replace(read, **{name: tuple(one for _, one in found) for name, found in each.items()}),
    )


def _made(record: Any) -> tuple[dict[str, Any], Any]:
    values = redact.record(plain(record))
    return values, taken(type(record), values)


_remembered = lru_cache(maxsize=4096)(_made)  # most records are alike in all workspaces of a fleet


class Journal:
    """A journal that is only appended to. ``listeners`` get each line once it is written, in the
    form that a reader gets."""

    def __init__(self, directory: Path, run: str) -> None:
        self.run = run
        self.path = directory / run / "journal.jsonl"
        self.lines: list[Line] = []
        self._of: dict[str, list[Line]] = {"": []}  # by workspace; "": about the whole run
        self.listeners: list[Callable[[Line], None]] = []
        try:
            private(directory)
            try:
                self.path.parent.mkdir(mode=0o700)
            except FileExistsError as error:
                raise _Taken(f"{self.path.parent}: {error.strerror}") from error
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._fd = os.open(self.path, flags, 0o600)
            prune(directory, run)
        except OSError as error:
            raise JournalError(f"{self.path}: {error.strerror}") from error

    def append(self, record: Record, *, workspace: str = "") -> Line:
        """Write one record, as ``extend`` does."""
        (line,) = self.extend((record,), workspace=workspace)
        return line

    def extend(self, records: Sequence[Record], *, workspace: str = "") -> Sequence[Line]:
        """Write records in one go, and bring all so far to the disk unless each is one of
        ``NOT_SYNCED``. Raises ``JournalError`` where a record may not be there."""
        made: list[Line] = []
        texts: list[str] = []
        for record in records:
            assert not isinstance(record, OtherRecord), "a record of no kind is only ever read"
            values, read = _safe(record)
            seq = len(self.lines) + len(made) + 1
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            head = {"run": self.run, "seq": seq, "time": now, "kind": WORDS[type(record)]}
            fields = {**head, "workspace": workspace, **values}
            texts.append(json.dumps(fields, ensure_ascii=False) + "\n")
            made.append(Line(run=self.run, seq=seq, time=now, workspace=workspace, record=read))
        try:
            # A file name that is not UTF-8 has lone surrogates, which JSON can escape.
            self._write("".join(texts).encode(errors="backslashreplace"))
            # Before the sync: if a signal interrupts the sync, the next line needs another number.
            self.lines += made
            self._of.setdefault(workspace, []).extend(made)
            if not all(isinstance(record, NOT_SYNCED) for record in records):
                os.fsync(self._fd)
        except OSError as error:
            raise JournalError(f"{self.path}: {error.strerror}") from error
        for line in made:
            for listener in self.listeners:
                listener(line)
        return made

    def of(self, workspace: str) -> list[Line]:
        """The lines about the whole run, then those about this workspace, each in their order."""
        return [*self._of[""], *self._of.get(workspace, ())]

    def _write(self, lines: bytes) -> None:
        """Write all of the lines or nothing, so that the journal can be read to its end."""
        size = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, lines)
            if written != len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, size)
            raise


def open_journal(directory: Path, run: str) -> Journal:
    """Open the journal of a run, with another id where this id is taken. Raises
    ``JournalError``."""
    while True:
        try:
            return Journal(directory, run)
        except _Taken:
            run = new_run_id()
