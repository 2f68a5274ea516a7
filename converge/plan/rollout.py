"""A staged rollout: one phase at a time. The next phase waits until all phases before it are proved
and the latest of them has soaked.

In: the record of each setting on the workspace (``LastWritten.settings``), the settings that the
run wants in force, and the workspace's clock. Out: the phases of this run, and what the next phase
waits for. The clock counts the seconds since boot: a wall clock that jumps has no influence, and
after a reboot only the time of the present boot counts.

A phase is *let in* when each of its wanted settings is in the record with its present value, and
*proved* when each of these is effective or not applicable. So a single setting that another run put
in force (``layers=``, ``phases=``, ``exclude=``) neither lets its phase in nor proves it. A
narrowed rollout steps over the phases that it leaves out; a later rollout that is not narrowed
begins with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

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
#: Settings that are rolled out with the first phase instead of their own: under a wrong NVIDIA
#: driver no later phase could be tested.
FIRST = frozenset({"video.driver"})


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The id of the workspace's present boot, and the seconds since that boot."""

    boot: str
    uptime_s: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The phases of a run, and how the rollout goes on."""

    phases: frozenset[Phase]
    entering: Phase | None = None  # the phase that this run lets in
    after: Phase | None = None  # the latest phase that was let in before
    waits: str = ""  # why the next phase is not let in
    out: frozenset[str] = frozenset()  # settings that are not in, though others of their phase are


@dataclass(frozen=True, kw_only=True)
class PhaseProgress:
    """How far one phase has come."""

    phase: Phase
    proofs: tuple[SettingProof, ...]  # of the settings that are let in
    out: tuple[str, ...]  # ids of the wanted settings that are not let in
    lacking: Mapping[str, str]  # id -> effect, of the settings that are let in and not proved

    @property
    def let_in(self) -> bool:
        return not self.out

    @property
    def proved(self) -> bool:
        return self.let_in and not self.lacking


def phase_of(setting: Setting, phases: Iterable[Phase]) -> Phase:
    """The phase that a setting is rolled out with. ``phases``: the wanted phases."""
    return ORDER[0] if setting.id in FIRST and ORDER[0] in phases else setting.phase


def progress(
    recorded: Mapping[str, SettingProof], in_force: Iterable[Setting], wanted: frozenset[Phase]
) -> tuple[PhaseProgress, ...]:
    """How far each of the ``wanted`` phases has come, in the plan's order. ``in_force``: the
    settings that would be in force if all these phases were let in."""
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
        proof = recorded.get(setting.id)
        if proof is None or proof.digest != digest_of(setting):
            out.append(setting.id)
            continue
        proofs.append(proof)
        if not proof.holds:
            lacking[setting.id] = proof.effect
    return PhaseProgress(phase=phase, proofs=tuple(proofs), out=tuple(out), lacking=lacking)


def stage(
    recorded: Mapping[str, SettingProof],
    in_force: Iterable[Setting],
    wanted: frozenset[Phase],
    clock: Clock,
    *,
    soak_s: int,
) -> Stage:
    """Which of the ``wanted`` phases belong to this run. ``soak_s``: seconds that the workspace has
    to run with a phase before the next one; the other arguments are those of ``progress``."""
    all_phases = progress(recorded, in_force, wanted)
    held = [each for each in all_phases if each.let_in]
    phases = frozenset(each.phase for each in held)
    following = next((each.phase for each in all_phases if not each.let_in), None)
    if following is None:
        return Stage(phases=phases)
    last = max(
        (each for each in held if each.proofs),
        key=lambda each: -_soaked(each, clock),
        default=None,
    )
    after = last.phase if last else None
    waits = ""
    if behind := next((each for each in held if each.lacking), None):
        name, effect = next(iter(behind.lacking.items()))
        waits = f"phase {behind.phase} is not proved: {name} is {effect}"
    elif last and (soaked := _soaked(last, clock)) < soak_s:
        waits = f"phase {last.phase} has soaked {hours(soaked)} of {hours(soak_s)}"
    if waits:
        waits = f"phase {following} waits: {waits}"
        return Stage(phases=phases, after=after, waits=waits)
    return Stage(phases=phases | {following}, entering=following, after=after)


def as_seen(
    now: Stage,
    recorded: Mapping[str, SettingProof],
    in_force: Iterable[Setting],
    wanted: frozenset[Phase],
    *,
    due: bool,
) -> Stage:
    """The stage for a task that only looks. A setting that is let in counts, even if its phase
    lacks others; a setting that is not let in cannot lack its effect. ``due``: include the phase
    that the next run would let in."""
    entering = now.entering if due else None
    known = progress(recorded, in_force, wanted)
    phases = {one.phase for one in known if one.proofs or one.let_in}
    out = frozenset(name for one in known if one.phase is not entering for name in one.out)
    phases |= {entering} if entering else set()
    return replace(now, phases=frozenset(phases), entering=entering, out=out)


def _soaked(progress: PhaseProgress, clock: Clock) -> int:
    """Seconds of the present boot that the workspace has run with a phase."""
    return min(_since(proof, clock) for proof in progress.proofs)


def _since(proof: SettingProof, clock: Clock) -> int:
    if proof.boot == clock.boot:
        return max(0, clock.uptime_s - proof.uptime_s)
    return clock.uptime_s


def hours(seconds: int) -> str:
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
