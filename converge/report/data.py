"""A report as JSON: the same facts as the page, for programs."""

from __future__ import annotations

import json
from dataclasses import asdict

from converge.report.model import Report
from converge.report.words import outcome

VERSION = 1


def data(report: Report) -> str:
    """The text of ``report.json``. Its keys are the fields of ``model.Report`` and its parts."""
    found = {"schemaVersion": VERSION, "result": outcome(report), **asdict(report)}
    return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
