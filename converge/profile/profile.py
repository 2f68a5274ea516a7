"""The declared hardware of a workspace. In: a YAML file. Out: a checked ``Profile``.

The file is checked as strict YAML, against the schema, and for values that contradict each other;
all problems are reported together. Later code trusts the profile.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from converge.hardware import graphics
from converge.profile.contradiction import contradictions
from converge.profile.document import Document, InvalidInput, content, parse
from converge.profile.rewrite import rewrites
from converge.profile.schema import schema_problems

__all__ = ["InvalidInput", "Profile", "load_profile"]

SCHEMA = "hardware-profile"
_TERASCALE = frozenset({"terascale"})
#: Architectures that intel-media-driver (iHD) does not support.
_WITHOUT_IHD = frozenset({"gen5", "gen6", "gen7", "gen7.5", "gen8-lp"})


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """The CPU as it is sold."""

    vendor: str
    model: str
    family: str
    cores: int
    threads: int


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """What code is compiled for."""

    march: str
    mtune: str
    optimization_level: int


@dataclass(frozen=True, kw_only=True)
class Tier:
    """Limits of builds of one weight. ``memory_gb`` is what one build may need, in GiB."""

    jobs: int
    cores: int
    memory_gb: int


@dataclass(frozen=True, kw_only=True)
class Parallelism:
    """How much is built at once, by weight of a build."""

    heavy: Tier
    medium: Tier
    light: Tier


@dataclass(frozen=True, kw_only=True)
class Compilation:
    """How packages are compiled."""

    compiler: Compiler
    goamd64: str
    rust_target_cpu: str
    parallelism: Parallelism


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One graphics card. ``driver``: the kernel driver that holds the card, or ``none``; ``role``:
    draws, offload, guest, unused or unknown."""

    vendor: str
    driver: str
    role: str
    model: str | None = None
    architecture: str | None = None
    chip: str | None = None
    pci_id: str | None = None
    slot: str | None = None
    compute_capability: str | None = None
    memory_mb: int | None = None
    connectors: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the card in messages."""
        return self.model or self.pci_id or f"{self.vendor} card"


@dataclass(frozen=True, kw_only=True)
class Zram:
    """Compressed swap in memory. ``percent`` of all memory: the limit of its uncompressed bytes."""

    algorithm: str
    percent: int
    priority: int


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Main memory in GiB. ``zram`` is None where the profile leaves swap to others."""

    total_gb: int
    type: str
    zram: Zram | None = None


@dataclass(frozen=True, kw_only=True)
class Disk:
    """One disk of the system. ``size_gb`` counts 10^9 bytes, as disks are sold."""

    kind: str
    size_gb: int | None = None
    scheduler: str | None = None


@dataclass(frozen=True, kw_only=True)
class Storage:
    """The disks below the root file system, one or several."""

    disks: tuple[Disk, ...]


@dataclass(frozen=True, kw_only=True)
class Session:
    """The graphical session."""

    desktop: str
    type: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One workspace's hardware. ``raw``: the same as JSON values, for ``profile.json``."""

    file: str
    workspace: str
    system: str
    cpu: Cpu
    build: Compilation
    gpus: tuple[Gpu, ...]
    memory: Memory
    storage: Storage
    session: Session
    platform: str
    raw: dict[str, Any] = field(compare=False, repr=False)

    @property
    def drawing(self) -> Gpu | None:
        """The card that draws the desktop; None where no card has the role."""
        return next((gpu for gpu in self.gpus if gpu.role == "draws"), None)

    @property
    def by_nvidia(self) -> tuple[Gpu, ...]:
        """The cards that draw or offload by NVIDIA's own driver, the drawing card first."""
        mine = (g for g in self.gpus if g.driver == "nvidia" and g.role in {"draws", "offload"})
        return tuple(sorted(mine, key=lambda gpu: gpu.role))

    @property
    def nvidia(self) -> Gpu | None:
        """The first of ``by_nvidia``."""
        return next(iter(self.by_nvidia), None)

    @cached_property  # a run asks for each check and each setting
    def facts(self) -> frozenset[str]:
        """Return the facts of ``converge.setting.NEEDS`` that hold."""
        plasma = self.session.desktop == "plasma6"
        decoder = self._decoder()
        holds = {
            "nvidia": bool(self.by_nvidia),
            "video": decoder is not None,
            "video-nvidia": decoder == "nvidia",
            "video-mesa": decoder == "mesa" and not self._drawn_by(_TERASCALE),
            "video-r600": decoder == "mesa" and self._drawn_by(_TERASCALE),
            "video-intel": decoder == "intel" and not self._drawn_by(_WITHOUT_IHD),
            "video-i965": decoder == "intel" and self._drawn_by(_WITHOUT_IHD),
            "x11": self.session.type == "x11",
            "wayland": self.session.type == "wayland",
            "kwin": plasma,
            "baloo": plasma,
            "bootloader": self.platform != "wsl",
            "zram": self.memory.zram is not None,
            "scheduler": any(
                disk.scheduler and disk.kind != "unknown" for disk in self.storage.disks
            ),
        }
        return frozenset(name for name, value in holds.items() if value)

    def _decoder(self) -> str | None:
        """The VA-API driver of the card that draws; None where none is known.

        i915 and radeon also drive cards that are too old to decode, so such a card needs a known
        architecture. Every card that amdgpu or xe drives decodes."""
        card = self.drawing
        if card is None or (card.driver in {"i915", "radeon"} and card.architecture is None):
            return None
        return graphics.DECODES.get(card.driver)

    def _drawn_by(self, architectures: frozenset[str]) -> bool:
        return self.drawing is not None and self.drawing.architecture in architectures


def load_profile(path: str | os.PathLike[str]) -> Profile:
    """Read and check the profile at ``path``. Raises InvalidInput with all problems.

    A file that several workspaces share is read for each, and parsed once."""
    return _checked(os.fspath(path), content(path))


@lru_cache(maxsize=64)
def _checked(file: str, text: str) -> Profile:
    document, problems = parse(text, file)
    problems += schema_problems(SCHEMA, document.data, document)
    problems += rewrites(document)
    problems += contradictions(document, problems)
    if problems:
        raise InvalidInput(problems)
    return profile_from(document)


def profile_from(document: Document) -> Profile:
    """Make the profile of a document that passed every check."""
    data = document.data
    compiler, parallelism = data["build"]["compiler"], data["build"]["parallelism"]
    memory, zram = data["memory"], data["memory"].get("zram")
    tiers = {
        name: Tier(jobs=tier["jobs"], cores=tier["cores"], memory_gb=tier["memoryGB"])
        for name, tier in parallelism["tiers"].items()
    }
    return Profile(
        file=document.file,
        workspace=data["workspace"],
        system=data["system"],
        cpu=Cpu(**data["cpu"]),
        build=Compilation(
            compiler=Compiler(
                march=compiler["march"],
                mtune=compiler["mtune"],
                optimization_level=compiler["optimizationLevel"],
            ),
            goamd64=data["build"]["goamd64"],
            rust_target_cpu=data["build"]["rustTargetCpu"],
            parallelism=Parallelism(**tiers),
        ),
        gpus=tuple(
            Gpu(
                vendor=gpu["vendor"],
                driver=gpu["driver"],
                role=gpu["role"],
                model=gpu.get("model"),
                architecture=gpu.get("architecture"),
                chip=gpu.get("chip"),
                pci_id=gpu.get("pciId"),
                slot=gpu.get("slot"),
                compute_capability=gpu.get("computeCapability"),
                memory_mb=gpu.get("memoryMB"),
                connectors=tuple(gpu.get("connectors", ())),
            )
            for gpu in data["gpus"]
        ),
        memory=Memory(
            total_gb=memory["totalGB"], type=memory["type"], zram=Zram(**zram) if zram else None
        ),
        storage=Storage(
            disks=tuple(
                Disk(
                    kind=disk["kind"],
                    size_gb=disk.get("sizeGB"),
                    scheduler=disk.get("scheduler"),
                )
                for disk in data["storage"]["disks"]
            )
        ),
        session=Session(**data["session"]),
        platform=data["platform"],
        raw=data,
    )
