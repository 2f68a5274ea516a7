"""The declared hardware of a workspace: a YAML file goes in, a checked profile comes out.

Checked three times, and reported together: as strict YAML, against the schema, and for values that
contradict each other. Everything after this trusts it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from converge.profile.contradiction import contradictions
from converge.profile.document import Document, InvalidInput, scan
from converge.profile.schema import schema_problems

__all__ = ["InvalidInput", "Profile", "load_profile"]

SCHEMA = "hardware-profile"


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
    """What code is compiled for. ``fallback_*`` is for packages that do not bear the first."""

    march: str
    mtune: str
    optimization_level: int
    fallback_march: str
    fallback_mtune: str


@dataclass(frozen=True, kw_only=True)
class Tier:
    """Limits of builds of one weight. ``memory_gb`` is what one build may need, in GiB."""

    jobs: int
    cores: int
    memory_gb: int


@dataclass(frozen=True, kw_only=True)
class Parallelism:
    """How much is built at once."""

    max_jobs: int
    max_cores: int
    heavy: Tier
    medium: Tier
    light: Tier


@dataclass(frozen=True, kw_only=True)
class Build:
    """How packages are compiled."""

    compiler: Compiler
    goamd64: str
    rust_target_cpu: str
    parallelism: Parallelism


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """The GPU; all but ``vendor`` may be unknown, and are with vendor ``none``."""

    vendor: str
    model: str | None = None
    architecture: str | None = None
    chip: str | None = None
    pci_id: str | None = None
    compute_capability: str | None = None
    memory_mb: int | None = None
    kernel_module: bool = False


@dataclass(frozen=True, kw_only=True)
class Zram:
    """Compressed swap in memory. ``percent`` of memory caps the uncompressed bytes it holds."""

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
class Storage:
    """The disk of the system. ``size_gb`` counts 10^9 bytes, as disks are sold."""

    kind: str
    size_gb: int
    scheduler: str


@dataclass(frozen=True, kw_only=True)
class Session:
    """The graphical session."""

    desktop: str
    type: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One workspace's hardware. ``raw`` is the same as plain JSON data, for ``profile.json``."""

    file: str
    workspace: str
    system: str
    cpu: Cpu
    build: Build
    gpu: Gpu
    memory: Memory
    storage: Storage
    session: Session
    platform: str
    raw: dict[str, Any] = field(compare=False, repr=False)

    @property
    def facts(self) -> frozenset[str]:
        """Return those of ``converge.plan.setting.NEEDS`` that hold."""
        plasma = self.session.desktop == "plasma6"
        holds = {
            "nvidia": self.gpu.vendor == "nvidia" and self.gpu.kernel_module,
            "x11": self.session.type == "x11",
            "kwin": plasma,
            "baloo": plasma,
            "bootloader": self.platform != "wsl",
            "zram": self.memory.zram is not None,
        }
        return frozenset(name for name, value in holds.items() if value)


def load_profile(path: str | os.PathLike[str]) -> Profile:
    """Read and check the profile at ``path``. Raises InvalidInput with everything wrong in it."""
    document, problems = scan(path)
    problems += schema_problems(SCHEMA, document.data, document)
    problems += contradictions(document)
    if problems:
        raise InvalidInput(problems)
    return profile_from(document)


def profile_from(document: Document) -> Profile:
    """Make the profile of a document that passed every check."""
    data = document.data
    compiler, parallelism = data["build"]["compiler"], data["build"]["parallelism"]
    gpu, memory, zram = data["gpu"], data["memory"], data["memory"].get("zram")
    tiers = {
        name: Tier(jobs=tier["jobs"], cores=tier["cores"], memory_gb=tier["memoryGB"])
        for name, tier in parallelism["tiers"].items()
    }
    return Profile(
        file=document.file,
        workspace=data["workspace"],
        system=data["system"],
        cpu=Cpu(**data["cpu"]),
        build=Build(
            compiler=Compiler(
                march=compiler["march"],
                mtune=compiler["mtune"],
                optimization_level=compiler["optimizationLevel"],
                fallback_march=compiler["fallback"]["march"],
                fallback_mtune=compiler["fallback"]["mtune"],
            ),
            goamd64=data["build"]["goamd64"],
            rust_target_cpu=data["build"]["rustTargetCpu"],
            parallelism=Parallelism(
                max_jobs=parallelism["maxJobs"], max_cores=parallelism["maxCores"], **tiers
            ),
        ),
        gpu=Gpu(
            vendor=gpu["vendor"],
            model=gpu.get("model"),
            architecture=gpu.get("architecture"),
            chip=gpu.get("chip"),
            pci_id=gpu.get("pciId"),
            compute_capability=gpu.get("computeCapability"),
            memory_mb=gpu.get("memoryMB"),
            kernel_module=gpu.get("kernelModule", False),
        ),
        memory=Memory(
            total_gb=memory["totalGB"], type=memory["type"], zram=Zram(**zram) if zram else None
        ),
        storage=Storage(
            kind=data["storage"]["kind"],
            size_gb=data["storage"]["sizeGB"],
            scheduler=data["storage"]["scheduler"],
        ),
        session=Session(**data["session"]),
        platform=data["platform"],
        raw=data,
    )
