"""Where every setting stands on one workspace: in force, or why not.

In: the settings, the facts of the profile, the workspace's choices, and the layers that do not
apply. Out: one ``Standing`` for every setting, so that the user always sees the whole plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from converge.plan.rollout import FIRST, ORDER
from converge.setting import NEEDS, Layer, Phase, Risk, Setting, State

#: A word in ``include=`` and ``accept=``: every setting whose state is ``offered``.
OFFERED = "offered"
#: The consent (``accept``) to move the user's own files at home-manager's targets aside.
MOVED_ASIDE = "home.files"


class Stand(StrEnum):
    """Why a setting is in force or not."""

    IN_FORCE = "in force"
    WITHHELD = "withheld"
    OFFERED = "offered"
    CONSENT = "needs consent"
    EXCLUDED = "excluded"
    NOT_APPLICABLE = "not applicable"
    LOCKED = "locked"  # the administrator or the user keeps it at another value
    HELD = "held back"  # its file, or the file's chezmoi source, is in the way (converge.plan.held)
    OTHER_PHASE = "not selected"  # not part of this run: stays as it is on the workspace

    @classmethod
    def _missing_(cls, value: object) -> Stand | None:
        return cls.OTHER_PHASE if value == "other phase" else None  # journals until 2026-11


@dataclass(frozen=True, kw_only=True)
class Standing:
    setting: Setting
    stand: Stand
    why: str = ""

    @property
    def in_force(self) -> bool:
        return self.stand is Stand.IN_FORCE


class ForbiddenSetting(ValueError):
    """``include=`` names a setting that would stop a boot or the session."""


def _asked(setting: Setting, include: frozenset[str]) -> Setting:
    """The setting; where ``include`` names it, its value also asks to install its package. Without
    that a setting changes only what the user has."""
    if setting.id not in include or not setting.installable:
        return setting
    assert isinstance(setting.value, Mapping)
    return replace(setting, value={**setting.value, "install": True})


def standings(
    settings: Iterable[Setting],
    *,
    facts: frozenset[str],
    not_applicable: Mapping[Layer, str],
    phases: frozenset[Phase],
    layers: frozenset[Layer],
    later: frozenset[Phase] = frozenset(),
    accept: frozenset[str] = frozenset(),
    include: frozenset[str] = frozenset(),
    exclude: frozenset[str] = frozenset(),
) -> tuple[Standing, ...]:
    """Where each of ``settings`` stands. ``not_applicable``: layer -> why it does not apply;
    ``later``: phases that a staged rollout has not let in.

    Raises ``ForbiddenSetting`` where ``include`` or ``accept`` names a setting that may not be
    forced.
    """

    settings = tuple(settings)
    by_id = {setting.id: setting for setting in settings}

    def stand(setting: Setting) -> tuple[Stand, str]:
        if setting.layer in not_applicable:
            return Stand.NOT_APPLICABLE, not_applicable[setting.layer]
        lacking = sorted(setting.needs - facts)
        if lacking:
            return Stand.NOT_APPLICABLE, NEEDS[lacking[0]]
        if setting.phase not in phases and not (setting.id in FIRST and ORDER[0] in phases):
            why = "is not let in yet" if setting.phase in later else "is not part of this run"
            return Stand.OTHER_PHASE, f"phase {setting.phase} {why}"
        if setting.layer not in layers:
            return Stand.OTHER_PHASE, f"layer {setting.layer} is not part of this run"
        if setting.id in exclude:
            return Stand.EXCLUDED, "excluded by choice"
        if setting.state is State.WITHHELD and setting.id not in include | accept:
            return Stand.WITHHELD, setting.reason
        if setting.state is State.OFFERED and not {setting.id, OFFERED} & (include | accept):
            return Stand.OFFERED, setting.reason
        if setting.risk is Risk.HIGH and setting.id not in accept:
            return Stand.CONSENT, f"high risk; --data accept={setting.id}"
        if setting.id not in include | accept:
            for name in sorted(setting.rests_on & by_id.keys()):
                other = stand(by_id[name])[0]
                if other not in (Stand.IN_FORCE, Stand.OTHER_PHASE):
                    why = f"no effect without {name} ({other}); --data include={name}"
                    return Stand.WITHHELD, why
        return Stand.IN_FORCE, ""

    result = []
    for setting in (_asked(row.on(facts), include) for row in settings):
        if setting.id in include | accept and not setting.forcible:
            raise ForbiddenSetting(f"{setting.id} cannot be included: {setting.reason}")
        verdict, why = stand(setting)
        result.append(Standing(setting=setting, stand=verdict, why=why))
    return tuple(result)
