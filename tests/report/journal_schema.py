"""Write the schema of the journal anew: ``python -m tests.report.journal_schema``."""

from __future__ import annotations

import json
from pathlib import Path

from converge.journal.schema import journal_schema

FILE = Path(__file__).parents[2] / "schemas/journal.schema.json"


def text() -> str:
    return json.dumps(journal_schema(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
