"""The verdict on one fact, and what a look at the facts has at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from converge.gate.machine import Machine
from converge.profile.profile import Profile
from converge.setting import Layer, Phase, Setting


class FactOutcome(StrEnum):
    """What became of one fact."""

    TRUE = "true"
    DIFFERS = "differs"  # but nothing in force breaks because of it
    UNKNOWN = "unknown"
    BLOCKS = "blocks"


@dataclass(frozen=True, kw_only=True)
class FactVerdict:
    """One fact: what is declared, what was found, what needs it, what to do."""

    fact: str  # as it is called in the profile: "cpu.threads"; also what accept= names
    outcome: FactOutcome
    declared: str
    found: str
    why: str = ""  # what it means, where it is not true
    fix: str = ""
    settings: tuple[str, ...] = ()  # ids of the settings in force that need it
    overridable: bool = True  # False: would stop a boot or the display, no consent helps

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
    """What a look at the facts has at hand."""

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
        """Settings that choose or load the driver: a wrong one leaves no display."""
        return tuple(s for s in self.nvidia if s.layer is Layer.NIXOS)

    @property
    def x11(self) -> tuple[Setting, ...]:
        """Settings that need an X11 session, or hand a program a flag for one."""
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
        """Judge a fact that nothing breaks over."""
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
