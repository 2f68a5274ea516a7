"""A plan as a record of the journal; every report of the plan is made from this record."""

from __future__ import annotations

from converge.journal.kinds import PlannedEntry, PlannedSetting, PlanRecord
from converge.plan.plan import Plan
from converge.plan.standing import Standing


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
                setting=one.setting.id,
                stand=one.stand.value,
                why=one.why,
                effect=_effect(plan, one),
            )
            for one in plan.standings
        ),
        notes=plan.warnings,
    )


def _effect(plan: Plan, standing: Standing) -> str:
    """What was last found of a setting, as far as that is known."""
    one = plan.written.settings.get(standing.setting.id)
    return one.effect if one and standing.in_force and not one.never else ""
