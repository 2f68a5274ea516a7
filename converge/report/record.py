"""A plan as a record of the journal; every report of the plan is made from this record."""

from __future__ import annotations

from converge.journal.kinds import PlannedEntry, PlannedSetting, PlanRecord
from converge.plan.plan import Plan


def plan_record(plan: Plan) -> PlanRecord:
    """The record of a plan: summary, entries of KDE files, standings of all settings, notes."""
    return PlanRecord(
        id=plan.id,
        summary=plan.summary(),
        empty=plan.empty,
        entries=tuple(
            PlannedEntry(
                path=change.path,
                group="".join(f"[{part}]" for part in key.group),
                key=key.key,
                before=key.found,
                after=key.wanted,
            )
            for change in plan.changes
            for key in change.keys
        ),
        settings=tuple(
            PlannedSetting(
                setting=standing.setting.id, stand=standing.stand.value, why=standing.why
            )
            for standing in plan.standings
        ),
        notes=plan.warnings,
    )
