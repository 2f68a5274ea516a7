"""The verdict on one fact, and ``Look``: what every module of this room judges from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from converge.gate.machine import Machine
from converge.profile.profile import Profile
from converge.setting import Layer, Phase, Setting


class FactOutcome(StrEnum):
    """How a declared fact compares with the machine."""

    TRUE = "true"
    DIFFERS = "differs"  # and no setting in force breaks because of the difference
    UNKNOWN = "unknown"
    BLOCKS = "blocks"  # the run is refused


@dataclass(frozen=True, kw_only=True)
class FactVerdict:
    """One fact: what is declared, what was found, which settings need the fact, what to do."""

    fact: str  # its key in the profile, such as "cpu.threads"; accept= takes the same name
    outcome: FactOutcome
    declared: str
    found: str
    why: str = ""  # what the difference means
    fix: str = ""
    settings: tuple[str, ...] = ()  # ids of the settings in force that need the fact
    overridable: bool = (
        True  # False: accept= cannot consent, since a boot or the display is at risk
    )

    def __str__(self) -> str:
        text = f"{self.fact}: {self.outcome}; declared {self.declared}, found {self.found}"
        if self.outcome is FactOutcome.TRUE:
            return f"{self.fact}: true; {self.declared}"
        parts = [text]
        if self.why:
            parts.append(self.why)
        if self.settings:
            parts.append(f"needed by {', '.join(self.settings)}")
        if self.fix:
            parts.append(self.fix)
        return "; ".join(parts)


@dataclass(frozen=True)
class Look:
    """Profile, machine and settings in force, with the selections that several facts need."""

    profile: Profile
    machine: Machine
    settings: tuple[Setting, ...]

    def ids(self, needed: Iterable[Setting]) -> tuple[str, ...]:
        return tuple(setting.id for setting in needed)

    @property
    def compiled(self) -> tuple[Setting, ...]:
        """Settings whose effect is code compiled for the march."""
        return tuple(
            s
            for s in self.settings
            if s.layer in {Layer.NIXOS, Layer.HOME_MANAGER}
            and s.phase in {Phase.LIBRARIES, Phase.RUNTIMES}
        )

    @property
    def nvidia(self) -> tuple[Setting, ...]:
        return tuple(s for s in self.settings if "nvidia" in s.needs)

    @property
    def nvidia_driver(self) -> tuple[Setting, ...]:
        """Settings that choose or load NVIDIA's driver: a wrong driver leaves no display."""
        return tuple(s for s in self.nvidia if s.layer is Layer.NIXOS)

    @property
    def x11(self) -> tuple[Setting, ...]:
        """Settings that need an X11 session, or hand a program a flag for X11."""
        return tuple(
            s for s in self.settings if "x11" in s.needs or "--ozone-platform=x11" in str(s.value)
        )

    def named(self, *prefixes: str) -> tuple[Setting, ...]:
        return tuple(s for s in self.settings if s.id.startswith(prefixes))

    @property
    def desktop(self) -> tuple[Setting, ...]:
        return tuple(s for s in self.settings if s.needs & {"kwin", "baloo"})

    def edit(self, key: str, value: object) -> str:
        return f"write {key}: {value} in {self.profile.file}"

    def same(self, fact: str, declared: object, found: object, fix: str = "") -> FactVerdict:
        """Compare a fact whose difference breaks nothing: true, differs, or unknown (None)."""
        outcome = (
            FactOutcome.UNKNOWN
            if found is None
            else FactOutcome.TRUE
            if declared == found
            else FactOutcome.DIFFERS
        )
        return FactVerdict(
            fact=fact,
            outcome=outcome,
            declared=str(declared),
            found="nothing" if found is None else str(found),
            fix=(fix or self.edit(fact, found)) if outcome is FactOutcome.DIFFERS else "",
        )
