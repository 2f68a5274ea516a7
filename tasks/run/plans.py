"""Keep the plans that were shown on the controller; ``converge.plan.saved`` reads them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from converge.plan import saved
from converge.plan.plan import Plan
from converge.profile.choices import Choices
from tasks.run.journal import private


def save(directory: Path, plan: Plan, *, home: str, choices: Choices) -> Path:
    """Write ``<id>.json`` with mode 0600. Raises OSError, and then leaves no file."""
    private(directory)
    path = directory / f"{plan.id}.json"
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(temporary, flags, 0o600), "w") as file:
            json.dump(saved.contents(plan, home=home, choices=choices), file, indent=1)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
