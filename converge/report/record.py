"""What a ``plan`` record holds besides the plan's summary, so that a report can say it later.

The journal is the only source of every report, so values that a report shows go in here; they pass
the same place that takes secrets out of reports.
"""

from __future__ import annotations

from converge.plan.plan import Plan
from converge.redact import harmless


def plan_fields(plan: Plan) -> dict[str, object]:
    """Entries of KDE files before and after, where every setting stands, and the plan's notes."""
    return harmless(
        {
            "entries": [
                {
                    "path": change.path,
                    "group": "".join(f"[{part}]" for part in key.group),
                    "key": key.key,
                    "before": key.found,
                    "after": key.wanted,
                }
                for change in plan.changes
                for key in change.keys
            ],
            "settings": [
                {"setting": one.setting.id, "stand": one.stand.value, "why": one.why}
                for one in plan.standings
            ],
            "notes": list(plan.warnings),
        }
    )
