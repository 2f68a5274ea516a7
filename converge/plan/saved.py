"""Plans that were shown, kept on the controller so that one can be looked at again.

A plan is applied by its id only when the plan computed from the workspace as it is now has the
same id, so nothing is ever applied from this file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from converge import redact
from converge.plan.plan import Plan
from converge.report.show import unified


def save(directory: Path, plan: Plan, *, home: str) -> Path:
    """Write ``<id>.json`` with the plan's summary and diffs, readable by its owner only.

    Raises OSError; then nothing is left of it."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / f"{plan.id}.json"
    data = plan.summary() | {
        "id": plan.id,
        "diffs": {
            change.path: redact.record(unified(change, home=home)) for change in plan.changes
        },
    }
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(temporary, flags, 0o600), "w") as file:
            json.dump(data, file, indent=1)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
