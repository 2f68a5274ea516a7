"""The case of a check, and answers that several cases need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from converge.effect import Effect
from converge.proof.check import ABSENT, Context
from tests.proof import checks
from tests.proof.checks import IN_USE, SYSTEM, Replies, failing


@dataclass(frozen=True, kw_only=True)
class Case:
    """``good`` makes the check effective; each of ``bad`` is laid over it and makes it not."""

    good: Replies
    bad: Mapping[str, Replies]
    expect: Effect = Effect.EFFECTIVE
    context: Context = field(default_factory=checks.context)


GIB = 1024**3


MEMINFO = f"MemTotal: {16 * 1024 * 1024} kB\nMemAvailable: {13 * 1024 * 1024} kB\n"


def environment(*entries: str, first: str = "process 4711") -> str:
    return "\0".join([f"{first}\n{entries[0] if entries else ''}", *entries[1:], ""])


def machine_file(path: str, good: str, **bad: str) -> Case:
    return Case(
        good={**IN_USE, ("file", path): good},
        bad={what: {("file", path): text} for what, text in bad.items()},
    )


WITHOUT_LAYER: Replies = {
    ("file", "home-files/.config/workspace-tuning"): failing(ABSENT, "no marker"),
    ("file", f"{SYSTEM}/etc/workspace-tuning"): failing(ABSENT, "no marker"),
}


NVIDIA = (
    "name, compute_cap, driver_version, memory.total [MiB], memory.used [MiB], "
    "utilization.gpu [%]\nNVIDIA GeForce GTX 960, 5.2, 580.178.04, 4096 MiB, 612 MiB, 3 %\n"
)


GRUB = "loader grub\n" + (checks.DATA / "grub.cfg").read_text()


NIX_CONFIG = "cores = 4\nmax-jobs = 3\nsystem-features = kvm gccarch-skylake\n"
