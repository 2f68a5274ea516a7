"""The JSON Lines record of one run, as it is read: every message and every report comes from it.

A record is a flat JSON object: ``run``, ``seq`` (from 1), ``time`` (UTC, ISO 8601), ``kind``,
``workspace`` ("" for the run itself) and the fields of its kind (``schemas/journal.schema.json``).
``tasks.run.journal`` writes it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

Record = dict[str, object]


def controller_state() -> Path:
    """Directory on the controller for journals and saved plans.

    A relative XDG_STATE_HOME is none, as the XDG Base Directory Specification has it."""
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    base = given if given.is_absolute() else Path.home() / ".local" / "state"
    return base / "workspace-tuning" / "controller"


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
