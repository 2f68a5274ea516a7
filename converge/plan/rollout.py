"""A staged rollout: one phase at a time, the next one only when all before it are proved and the
latest has soaked.

In: what the workspace's record says of each setting (``LastWritten.settings``), the settings that
the run wants in force by phase, and the workspace's clock now. Out: the phases of this run, and
what the next one waits for. The clock is the machine's own time since boot: a wall clock that jumps
changes nothing, and after a reboot only the present boot counts.

A phase is *in* when each of its settings in force was let in, and *proved* when each of them is
effective (or has nothing to be effective on). So a setting that another run put in force alone, by
``layers=``, ``phases=`` or ``exclude=``, neither lets its phase in nor proves it. What a narrowed
rollout leaves out is stepped over; it is not proved by that, and a later run that is not narrowed
begins with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from converge.plan.written import SettingProof, digest_of
from converge.setting import Phase, Setting

#: The plan's order, foundation first.
ORDER = (
    Phase.LIBRARIES,
    Phase.RUNTIMES,
    Phase.ELECTRON,
    Phase.DESKTOP,
    Phase.VIDEO,
    Phase.MEMORY,
)
#: Settings that go with the first phase, whatever theirs: an NVIDIA driver that ignores the card
#: would make every later phase untestable.
FIRST = frozenset({"video.driver"})


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The workspace's boot and its seconds since then."""

    boot: str
    uptime_s: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """``entering`` is let in by this run; ``waits`` says why the next one is not. ``unproved``:
    settings of phases that are in, which a look may prove now."""

    phases: frozenset[Phase]
    entering: Phase | None = None
    after: Phase | None = None  # the last one that was proved before it
    waits: str = ""
    unproved: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PhaseProgress:
    """How far one phase has come: ``proofs`` of the settings that are let in, ``out`` the names of
    those that are not, ``lacking`` name -> effect of those that are in and not proved."""

    phase: Phase
    proofs: tuple[SettingProof, ...]
    out: tuple[str, ...]
    lacking: Mapping[str, str]

    @property
    def let_in(self) -> bool:
        return not self.out

    @property
    def proved(self) -> bool:
        return self.let_in and not self.lacking


def phase_of(setting: Setting, phases: Iterable[Phase]) -> Phase:
    """The phase that a setting is rolled out with, where ``phases`` are wanted."""
    return ORDER[0] if setting.id in FIRST and ORDER[0] in phases else setting.phase


def progress(
    recorded: Mapping[str, SettingProof], in_force: Iterable[Setting], wanted: frozenset[Phase]
) -> tuple[PhaseProgress, ...]:
    """How far each of the ``wanted`` phases has come, in their order. ``in_force``: the settings
    that the run would have in force if all of them were let in."""
    settings = tuple(in_force)
    return tuple(
        _progress(
            recorded, phase, [setting for setting in settings if phase_of(setting, wanted) is phase]
        )
        for phase in ORDER
        if phase in wanted
    )


def _progress(
    recorded: Mapping[str, SettingProof], phase: Phase, settings: Iterable[Setting]
) -> PhaseProgress:
    proofs, out, lacking = [], [], {}
    for setting in settings:
        one = recorded.get(setting.id)
        if one is None or one.digest != digest_of(setting):
            out.append(setting.id)
            continue
        proofs.append(one)
        if not one.holds:
            lacking[setting.id] = one.effect
    return PhaseProgress(phase=phase, proofs=tuple(proofs), out=tuple(out), lacking=lacking)


def stage(
    recorded: Mapping[str, SettingProof],
    in_force: Iterable[Setting],
    wanted: frozenset[Phase],
    clock: Clock,
    *,
    soak_s: int,
) -> Stage:
    """Which of the ``wanted`` phases belong to this run (``progress`` has the arguments)."""
    known = progress(recorded, in_force, wanted)
    held = [one for one in known if one.let_in]
    phases = frozenset(one.phase for one in held)
    unproved = tuple(name for one in held for name in one.lacking)
    following = next((one.phase for one in known if not one.let_in), None)
    if following is None:
        return Stage(phases=phases, unproved=unproved)
    last = max(
        (one for one in held if one.proofs), key=lambda one: -_soaked(one, clock), default=None
    )
    after = last.phase if last else None
    waits = ""
    if behind := next((one for one in held if one.lacking), None):
        name, effect = next(iter(behind.lacking.items()))
        waits = f"phase {behind.phase} is not proved: {name} is {effect}"
    elif last and (soaked := _soaked(last, clock)) < soak_s:
        waits = f"phase {last.phase} has soaked {hours(soaked)} of {hours(soak_s)}"
    if waits:
        waits = f"phase {following} waits: {waits}"
        return Stage(phases=phases, after=after, waits=waits, unproved=unproved)
    return Stage(phases=phases | {following}, entering=following, after=after, unproved=unproved)


def _soaked(one: PhaseProgress, clock: Clock) -> int:
    """Seconds that the workspace has run with a phase, as far as its own clock tells."""
    return min(_since(proof, clock) for proof in one.proofs)


def _since(one: SettingProof, clock: Clock) -> int:
    if one.boot == clock.boot:
        return max(0, clock.uptime_s - one.uptime_s)
    return clock.uptime_s


def hours(seconds: int) -> str:
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
