"""Read the journal of one run, JSON Lines: every message and every report comes from a journal.

A line is a flat JSON object: ``run``, ``seq`` (from 1), ``time`` (UTC, ISO 8601), ``kind``,
``workspace`` ("" for the run itself) and the fields of its kind (``converge.journal.kinds``).
``tasks.run.journal`` writes it.
"""

from __future__ import annotations

import json
import os
import pwd
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from converge.journal.form import plain, taken, text
from converge.journal.kinds import KINDS, WORDS, OtherRecord, Record

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a journal. ``seq`` is 0 where the line has no number."""

    run: str
    seq: int
    time: str
    workspace: str
    record: Record

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Line:
        """The line of a JSON object that is not trusted. Never raises."""
        kind = text(values.get("kind"))
        number = values.get("seq")
        record = taken(KINDS[kind], values) if kind in KINDS else OtherRecord(kind=kind)
        return cls(
            run=text(values.get("run")),
            seq=number if isinstance(number, int) and not isinstance(number, bool) else 0,
            time=text(values.get("time")),
            workspace=text(values.get("workspace")),
            record=record,
        )

    @property
    def kind(self) -> str:
        """The word for the kind of the record, as in KINDS."""
        if isinstance(self.record, OtherRecord):
            return self.record.kind
        return WORDS[type(self.record)]

    def fields(self) -> dict[str, object]:
        """The line as a JSON object."""
        head = {"run": self.run, "seq": self.seq, "time": self.time, "kind": self.kind}
        return {**head, "workspace": self.workspace, **plain(self.record)}


def controller_state() -> Path:
    """Directory on the controller for journals and saved plans.

    A relative XDG_STATE_HOME is ignored, as the XDG Base Directory Specification asks; and so is a
    relative HOME."""
    given, home = Path(os.environ.get("XDG_STATE_HOME", "")), Path(os.environ.get("HOME", ""))
    if not home.is_absolute():
        home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    base = given if given.is_absolute() else home / ".local" / "state"
    return base / "workspace-tuning" / "controller"


def read(path: Path) -> tuple[Line, ...]:
    """The lines of a journal up to its first torn line (the power failed). Raises OSError."""
    return tuple(map(Line.of, objects(path.read_bytes())))


def objects(content: bytes) -> Iterator[Mapping[str, object]]:
    """The JSON objects of a journal, up to its first line that is no JSON object."""
    for line in content.split(b"\n")[:-1]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(value, dict):
            return
        yield value


def of_kind(lines: Iterable[Line], kind: type[R], workspace: str | None = None) -> Iterator[R]:
    """The records of one kind, in order; only those of ``workspace`` where it is given."""
    for line in lines:
        if isinstance(line.record, kind) and workspace in (None, line.workspace):
            yield line.record


def last_of_kind(lines: Iterable[Line], kind: type[R], workspace: str | None = None) -> R | None:
    """The last record of one kind, or None; only of ``workspace`` where it is given."""
    return next(iter(deque(of_kind(lines, kind, workspace), maxlen=1)), None)
