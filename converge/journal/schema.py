"""JSON Schema of a journal's lines, made from the records: ``schemas/journal.schema.json``."""

from __future__ import annotations

from converge.journal.form import about, schema
from converge.journal.kinds import KINDS, OF_THE_RUN

_ABOUT = (
    "One line of a journal (JSON Lines). A journal is the record of one run: append-only, each "
    "line on the disk before the next step begins, so it can end anywhere but never lies about "
    "what came before."
)
_HEAD = {
    "run": {
        "type": "string",
        "description": "Id of the run",
        "pattern": "^[0-9]{8}t[0-9]{6}-[0-9a-f]{4}$",
    },
    "seq": {
        "type": "integer",
        "minimum": 1,
        "description": "Number of the record, from 1, without gaps",
    },
    "time": {
        "type": "string",
        "description": "UTC, ISO 8601 with milliseconds",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+\\+00:00$",
    },
    "kind": {
        "enum": list(KINDS),
        "description": "What the record is about, and so which fields it has",
    },
    "workspace": {
        "type": "string",
        "description": "Name of the workspace; empty for the run itself",
    },
}


def journal_schema() -> dict[str, object]:
    """The schema of one line: its head, and the fields of its kind."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "journal.schema.json",
        "title": "Record of a journal",
        "description": _ABOUT,
        "type": "object",
        "required": list(_HEAD),
        "properties": _HEAD,
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": word}}},
                "then": {"$ref": f"#/$defs/{word}"},
            }
            for word in KINDS
        ],
        "unevaluatedProperties": False,
        "$defs": {word: _definition(word) for word in KINDS},
    }


def _definition(word: str) -> dict[str, object]:
    kind = KINDS[word]
    workspace = {"const": ""} if kind in OF_THE_RUN else {"minLength": 1}
    made = schema(kind)
    properties = made["properties"]
    assert isinstance(properties, dict)
    return {
        "title": word,
        "description": about(kind),
        "type": "object",
        "properties": {"workspace": workspace, **properties},
        "required": made["required"],
    }
