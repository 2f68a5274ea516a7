"""Decide whether a change is kept, and make the workspace's record of each setting.

In: the findings before and after the change. Out: the findings that speak against the change, and
the new record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from converge.effect import BY_A_RESTART, VERIFY, Effect, Finding, remedy
from converge.plan.rollout import Clock, Stage
from converge.plan.standing import Stand, Standing
from converge.plan.written import NOT_LOOKED_AT, OWN, SettingProof, digest_of
from converge.proof.touched import Touched

#: Items that must be effective before a staged rollout lets its next phase in.
HEALTH = frozenset({"journal.crashes", "journal.memory", "system.state", "user.state"})
#: Where a setting stands that is looked at.
WANTED = frozenset({Stand.IN_FORCE, Stand.LOCKED, Stand.HELD})
NAMED = 3  # at most so many settings are named with one reason, to keep a run's output short


def held_back(stage: Stage, known: Iterable[Finding]) -> str:
    """Why a staged rollout does not let its next phase in, or the empty string.

    The workspace must have run without a crash, a kill for memory or a failed unit since the phase
    before; unknown health holds the rollout back too."""
    if stage.entering is None or stage.after is None:
        return ""
    for finding in known:
        if finding.check in HEALTH and finding.effect in (Effect.NOT_EFFECTIVE, Effect.UNKNOWN):
            return (
                f"phase {stage.entering} is not let in after phase {stage.after}: "
                f"{finding.title}: {finding.effect}: {finding.reason or finding.found}"
            )
    return ""


def against(
    before: Iterable[Finding],
    after: Iterable[Finding],
    touched: Touched,
    *,
    brought: frozenset[str] = frozenset(),
) -> tuple[Finding, ...]:
    """The findings of ``after`` for which a change is undone, in their order.

    1. A check that the change cannot have touched never undoes it.
    2. A setting that is not effective undoes it. So does an item, unless the item was not effective
       before; where an item names its single faults, a new fault undoes the change all the same.
       The items ``brought``, which the run itself has to mend, are not excused.
    3. A question without an answer proves nothing, so it undoes the change too. An item that had no
       answer before is excused.
    """
    items = {finding.check: finding for finding in before if not finding.setting}
    return tuple(
        finding
        for finding in after
        if finding.counts
        and touched.has(finding.check, finding.setting)
        and _is_fault(finding)
        and (
            finding.setting
            or not _excused(finding, items.get(finding.check), finding.check in brought)
        )
    )


def _is_fault(finding: Finding) -> bool:
    if finding.effect is Effect.UNKNOWN:
        return not finding.answered
    return finding.effect is Effect.NOT_EFFECTIVE


def _excused(now: Finding, before: Finding | None, brought: bool) -> bool:
    if before is None or brought:
        return False
    if now.effect is Effect.UNKNOWN:
        return before.effect is Effect.UNKNOWN and not before.answered
    if before.effect is not Effect.NOT_EFFECTIVE:
        return False
    return not now.faults or now.faults <= before.faults


def intended(
    recorded: Mapping[str, SettingProof], standings: Iterable[Standing], *, run: str, clock: Clock
) -> dict[str, SettingProof]:
    """The record of a plan before its proof. A setting that is newly in force, or in force with
    another value, is recorded as not looked at; so is one that is newly locked or held back, which
    is wanted all the same. A setting that is not part of this run keeps its record."""
    record = {}
    for standing in standings:
        setting = standing.setting
        old = recorded.get(setting.id)
        if standing.stand is Stand.OTHER_PHASE and old is not None:
            record[setting.id] = old
        elif standing.stand in WANTED:
            digest = digest_of(setting)
            same = old is not None and old.digest == digest
            if old is not None and not standing.in_force and old.holds and old.effect != OWN:
                same = False  # it was in force then
            record[setting.id] = (
                old
                if old is not None and same
                else SettingProof(
                    effect=NOT_LOOKED_AT,
                    run=run,
                    boot=clock.boot,
                    uptime_s=clock.uptime_s,
                    digest=digest,
                )
            )
    return record


def proved(
    planned: Mapping[str, SettingProof],
    findings: Iterable[Finding],
    touched: Touched | None,
    *,
    run: str,
    clock: Clock,
) -> dict[str, SettingProof]:
    """The record after the proof. ``planned``: from ``intended``.

    An effect that did not change keeps its time. An earlier proof stays where the run did not touch
    the setting and the present finding is only pending or unknown."""
    record = dict(planned)
    for finding in findings:
        old = planned.get(finding.setting)
        effect = finding.effect.value if finding.counts else OWN
        waits = remedy(finding) if effect in (Effect.PENDING, Effect.UNKNOWN) else ""
        if old is None or (effect, waits) == (old.effect, old.waits):
            continue
        if effect == old.effect:
            record[finding.setting] = replace(old, waits=waits)
            continue
        apart = touched is None or not touched.has(finding.check, finding.setting)
        if old.holds and apart and finding.effect in (Effect.PENDING, Effect.UNKNOWN):
            continue
        record[finding.setting] = SettingProof(
            effect=effect,
            run=run,
            boot=clock.boot,
            uptime_s=clock.uptime_s,
            digest=old.digest,
            waits=waits,
        )
    return record


def to_prove(
    recorded: Mapping[str, SettingProof], standings: Iterable[Standing], *, staged: bool
) -> tuple[str, ...]:
    """The settings that a run looks at even if it does not touch them: those that no run has looked
    at yet and, in a ``staged`` rollout, those that are not proved. ``recorded``: from
    ``intended``."""
    names = [standing.setting.id for standing in standings if standing.stand in WANTED]
    if staged:
        return tuple(name for name in names if not recorded[name].holds)
    return tuple(name for name in names if recorded[name].never)


def found_since(
    recorded: Mapping[str, SettingProof],
    standings: Iterable[Standing],
    findings: Iterable[Finding],
    *,
    run: str,
    clock: Clock,
) -> dict[str, SettingProof]:
    """The record after a look that changed nothing: what was found now of each setting that is in
    there with its present value. Nothing is let in by that."""
    digests = {one.setting.id: digest_of(one.setting) for one in standings if one.stand in WANTED}
    known = {name: one for name, one in recorded.items() if digests.get(name) == one.digest}
    return {**recorded, **proved(known, findings, None, run=run, clock=clock)}


def still_open(
    recorded: Mapping[str, SettingProof],
    standings: Iterable[Standing],
    clock: Clock,
) -> str:
    """A sentence: the settings in force that earlier runs did not prove, and what makes each of
    them known; or the empty string."""
    groups: dict[str, dict[str, list[str]]] = {}
    for standing in standings:
        name = standing.setting.id
        proof = recorded.get(name)
        if not standing.in_force or proof is None or proof.digest != digest_of(standing.setting):
            continue
        if proof.holds:
            continue
        what, how = f"{proof.effect} since an earlier run", proof.waits
        if proof.never:
            what = "not looked at yet"
        if how in BY_A_RESTART and proof.boot != clock.boot:
            how = "the machine was restarted since"
        how = how.removesuffix(VERIFY).rstrip(",; ")
        groups.setdefault(what, {}).setdefault(how, []).append(name)
    parts = []
    for what, hows in groups.items():
        listed = ", ".join(
            f"{how} ({_some(names)})" if how else _some(names) for how, names in hows.items()
        )
        parts.append(f"{sum(map(len, hows.values()))} {what}: {listed}")
    return "; ".join([*parts, VERIFY] if parts else [])


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more there are (tasks/verify.py names all)."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
