"""One row of the plan: what is set, where, at what risk, with which claim, proved by which check.

A setting is data. Applicability, consent, the desired files, the checks, the report and the docs
all read the same rows (``converge.subjects.settings.ALL``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Layer(StrEnum):
    """Where a change lands."""

    NIXOS = "nixos"
    HOME_MANAGER = "home-manager"
    PLASMA = "plasma"
    SESSION = "session"


class Phase(StrEnum):
    """The plan's phases, in the order in which they are rolled out."""

    LIBRARIES = "1"
    RUNTIMES = "2"
    ELECTRON = "3"
    DESKTOP = "4"
    VIDEO = "5"
    MEMORY = "memory"


class State(StrEnum):
    """What becomes of a statement of the plan."""

    APPLIED = "applied"  # as written
    CORRECTED = "corrected"  # in the form that has the wanted effect
    WITHHELD = "withheld"  # dead, harmful or unproved: only by name (``--data include=<setting>``)
    OFFERED = "offered"  # ours, beyond the plan: by name, or all of them by the word ``offered``


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"  # rebuilds the world or can stop a boot: needs ``--data accept=<setting>``


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A gain that the plan expects: ``low``..``high`` percent less or more of ``subject``."""

    subject: str  # what is measured: "zstd compression", "kwin memory"
    low: float
    high: float
    unit: str = "%"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One statement of the plan.

    ``value`` has the shape that its layer reads. For ``nixos`` and ``home-manager`` it is handed
    to the Nix modules as JSON (``profile.json``, key ``settings.<id>``). For ``plasma`` it is
    ``{"file": name, "entries": ...}``, entries as ``converge.kde.merge.declared`` takes them. For
    ``session`` it is ``{"variables": {NAME: value}}`` and optionally ``"unit"``, the user unit that
    alone gets them.
    """

    id: str  # stable, "subject.detail"; what accept=, include= and reports name
    title: str  # at most 60 characters, for tables
    phase: Phase
    layer: Layer
    says: str  # what the plan says, in one line, with its section
    state: State = State.APPLIED
    value: object
    check: str  # id of the check that proves its effect
    reason: str = ""  # why it is corrected, withheld or offered; the evidence, with its date
    evidence: tuple[str, ...] = ()  # links to it; for a row beyond the plan
    gain: str = ""  # what was measured of such a row, or why there is no figure
    risk: Risk = Risk.LOW
    claim: Claim | None = None
    needs: frozenset[str] = frozenset()  # facts without which it is not applicable: NEEDS
    rests_on: frozenset[str] = frozenset()  # settings without which it has no effect
    forcible: bool = True  # False: would stop a boot or the session; include= is refused
    #: The same statement on other machines: a fact -> the fields that differ where it holds.
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = self.needs - NEEDS.keys()
        if unknown:
            raise ValueError(f"setting {self.id}: unknown needs {sorted(unknown)}")
        if strange := self.variants.keys() - NEEDS.keys():
            raise ValueError(f"setting {self.id}: unknown variants {sorted(strange)}")
        if self.state is not State.APPLIED and not self.reason:
            raise ValueError(f"setting {self.id}: {self.state} without a reason")
        if self.state is State.OFFERED and not (self.evidence and self.gain):
            raise ValueError(f"setting {self.id}: {self.state} without evidence, or without gain")

    @property
    def installable(self) -> bool:
        """Whether the value names attributes of nixpkgs: packages that the setting changes where
        the user has them, and that ``include=`` installs where the user has none."""
        return isinstance(self.value, Mapping) and "attributes" in self.value

    def on(self, facts: frozenset[str]) -> Setting:
        """Return the setting with the first variant whose fact a machine has. On a machine with
        ``video-nvidia``, for which the plan was written, no variant is used."""
        own = "video-nvidia" in facts
        fields = next((fields for fact, fields in self.variants.items() if fact in facts), None)
        return replace(self, variants={}, **fields) if fields and not own else self


#: Facts a setting can need, and how their absence reads in "not applicable: ...".
NEEDS: Mapping[str, str] = {
    "nvidia": "no card of the profile draws or offloads by NVIDIA's driver",
    "video": "no card of the profile is known to draw by a driver that decodes video",
    "video-nvidia": "the card that draws is not driven by NVIDIA's driver",
    "video-mesa": "the card that draws is no AMD card since GCN, driven by amdgpu or radeon",
    "video-r600": "the card that draws is no AMD card before GCN",
    "video-intel": "the card that draws is no Intel card since Broadwell",
    "video-i965": "the card that draws is no Intel card before Broadwell",
    "x11": "the session type of the profile is not x11, and Wayland has no such setting",
    "wayland": "the session type of the profile is not wayland",
    "kwin": "the profile has no Plasma desktop",
    "baloo": "the profile has no Plasma desktop",
    "bootloader": "the workspace has no boot loader of its own",
    "zram": "the profile declares no zram",
    "scheduler": "the profile declares no I/O scheduler for a disk",
}
