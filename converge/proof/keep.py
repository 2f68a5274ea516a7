"""Whether a change is kept: the findings before and after it go in, what speaks against it comes
out; and what the workspace's record says of each setting afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from converge.effect import BY_A_RESTART, VERIFY, Effect, Finding, remedy
from converge.plan.rollout import Clock, Stage
from converge.plan.standing import Stand, Standing
from converge.plan.written import NOT_LOOKED_AT, OWN, PROVEN, SettingProof, digest_of
from converge.proof.touched import Touched

#: What must be well for a staged rollout to go on.
HEALTH = frozenset({"journal.crashes", "journal.memory", "system.state", "user.state"})
NAMED = 3  # settings that are named with one reason: a run without changes is short


def held_back(stage: Stage, known: Iterable[Finding]) -> str:
    """Why a staged rollout does not let its next phase in, or the empty string.

    The phase before it must have run without a crash, a kill or a failed unit; a phase whose health
    cannot be seen has not."""
    if stage.entering is None or stage.after is None:
        return ""
    for one in known:
        if one.check in HEALTH and one.effect in (Effect.NOT_EFFECTIVE, Effect.UNKNOWN):
            return (
                f"phase {stage.entering} is not let in after phase {stage.after}: "
                f"{one.title}: {one.effect}: {one.reason or one.found}"
            )
    return ""


def against(
    before: Iterable[Finding],
    after: Iterable[Finding],
    touched: Touched,
    *,
    brought: frozenset[str] = frozenset(),
) -> tuple[Finding, ...]:
    """The findings for which a change is undone, in their order.

    1. What the change cannot have touched never undoes it.
    2. A setting that is not effective does. So does an item, unless it was not effective before:
       the same check, whatever its words, or where it names its single faults, no new one. What
       the run itself has to bring about (``brought``) has no such excuse.
    3. A question without an answer is a proof that was not had: it undoes the change as well. An
       item that had no answer before either is left out.
    """
    known = {one.check: one for one in before if not one.setting}
    return tuple(
        one
        for one in after
        if one.counts
        and touched.has(one.check, one.setting)
        and _is_fault(one)
        and not (not one.setting and _excused(one, known.get(one.check), one.check in brought))
    )


def _is_fault(one: Finding) -> bool:
    return one.effect is Effect.NOT_EFFECTIVE or (one.effect is Effect.UNKNOWN and not one.answered)


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
    """The record of a plan, before anything is proved: what is newly in force, or in force with
    another value, was not looked at. What belongs to another phase or layer stays as it is."""
    found = {}
    for standing in standings:
        setting = standing.setting
        old = recorded.get(setting.id)
        if standing.stand is Stand.OTHER_PHASE and old is not None:
            found[setting.id] = old
        elif standing.in_force:
            digest = digest_of(setting)
            same = old is not None and old.digest == digest
            found[setting.id] = (
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
    return found


def proved(
    planned: Mapping[str, SettingProof],
    findings: Iterable[Finding],
    touched: Touched | None,
    *,
    run: str,
    clock: Clock,
) -> dict[str, SettingProof]:
    """The record after the proof. ``planned`` is from ``intended``.

    An effect that is the same as before keeps the time since when it is so. A proof that was had
    before stays where the run did not touch the setting and nobody was there to ask now."""
    found = dict(planned)
    for finding in findings:
        old = planned.get(finding.setting)
        effect = finding.effect.value if finding.counts else OWN
        waits = remedy(finding) if effect in (Effect.PENDING, Effect.UNKNOWN) else ""
        if old is None or (effect, waits) == (old.effect, old.waits):
            continue
        if effect == old.effect:
            found[finding.setting] = replace(old, waits=waits)
            continue
        apart = touched is None or not touched.has(finding.check, finding.setting)
        if old.holds and apart and finding.effect in (Effect.PENDING, Effect.UNKNOWN):
            continue
        found[finding.setting] = SettingProof(
            effect=effect,
            run=run,
            boot=clock.boot,
            uptime_s=clock.uptime_s,
            digest=old.digest,
            waits=waits,
        )
    return found


def still_open(
    recorded: Mapping[str, SettingProof],
    standings: Iterable[Standing],
    clock: Clock,
    *,
    newer: Iterable[Finding] = (),
) -> str:
    """What an earlier run left open of the settings in force, each with what makes it known; the
    empty string where that is nothing. ``newer``: what was found after that record was written."""
    now = {one.setting: one.effect for one in newer if one.counts and one.setting}
    groups: dict[str, dict[str, list[str]]] = {}
    for standing in standings:
        name = standing.setting.id
        one = recorded.get(name)
        if not standing.in_force or one is None or one.holds or now.get(name) in PROVEN:
            continue
        what, how = f"{one.effect} since an earlier run", one.waits
        if one.effect == NOT_LOOKED_AT and not one.waits:
            what = "not looked at yet"
        if how in BY_A_RESTART and one.boot != clock.boot:
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
    """The first names; tasks/verify.py has all of them."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
