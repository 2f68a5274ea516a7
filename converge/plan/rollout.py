"""A staged rollout: one phase at a time, the next one only when the last is proved and has soaked.

In: which phases were proved on the workspace and when (``Written.phases``), and its clock now. Out:
the phases of this run, and what the next one waits for. The clock is the machine's own time since
boot: a wall clock that jumps changes nothing, and after a reboot only the present boot counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from converge.plan.setting import Phase
from converge.plan.written import Proved

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
    """``entering`` is let in by this run; ``waits`` says why the next one is not."""

    phases: frozenset[Phase]
    entering: Phase | None = None
    after: Phase | None = None  # the last one that was proved before it
    waits: str = ""


def stage(
    proved: Mapping[str, Proved], wanted: frozenset[Phase], clock: Clock, *, soak_s: int
) -> Stage:
    """Which of the ``wanted`` phases belong to this run."""
    ours = [phase for phase in ORDER if phase in wanted]
    done = [phase for phase in ours if phase.value in proved]
    phases = frozenset(done)
    todo = [phase for phase in ours if phase not in phases]
    if not todo:
        return Stage(phases=phases)
    following = todo[0]
    if not done:
        return Stage(phases=frozenset({following}), entering=following)
    last = min(done, key=lambda phase: _since(proved[phase.value], clock))  # the latest
    soaked = _since(proved[last.value], clock)
    if soaked < soak_s:
        waits = (
            f"phase {following} waits: phase {last} has soaked {hours(soaked)} of {hours(soak_s)}"
        )
        return Stage(phases=phases, after=last, waits=waits)
    return Stage(phases=phases | {following}, entering=following, after=last)


def _since(one: Proved, clock: Clock) -> int:
    """Seconds that the workspace has run with a phase, as far as its own clock tells."""
    if one.boot == clock.boot:
        return max(0, clock.uptime_s - one.uptime_s)
    return clock.uptime_s


def hours(seconds: int) -> str:
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
