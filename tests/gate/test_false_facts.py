"""The gate catches each single false fact with the right verdict, on each recorded machine.

A fact is made false in the profile, or on the machine where a profile cannot lie about it. A
machine may lack what a fact is about; each fact is made false on some machines at least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from converge.gate.facts.cards import DRAWN
from converge.gate.gate import FACTS, FactOutcome, FactVerdict, gate
from converge.gate.machine import Machine
from converge.hardware import cpus, graphics, memory_kind
from converge.profile.profile import Gpu, Profile
from converge.setting import Layer, Phase
from tests.gate.machines import recorded
from tests.gate.machines_page import NAMES, in_force, profile_of

#: A machine and its profile, one of them with a lie; None where there is nothing to lie about.
Lie = Callable[[Profile, Machine], tuple[Profile, Machine] | None]


def _platform(profile: Profile, machine: Machine) -> tuple[Profile, Machine]:
    other = "linux" if profile.platform != "linux" else "ostree"
    return replace(profile, platform=other), machine


def _cpu(key: str, other: Callable[[Any], object]) -> Lie:
    def lie(profile: Profile, machine: Machine) -> tuple[Profile, Machine]:
        changed: Any = {key: other(getattr(profile.cpu, key))}
        return replace(profile, cpu=replace(profile.cpu, **changed)), machine

    return lie


def _march(profile: Profile, machine: Machine) -> tuple[Profile, Machine]:
    """A march that needs one feature more than this CPU has."""
    own = machine.cpu_flags or frozenset[str]()
    more = min(
        (name for name, flags in cpus.marches().items() if flags - own),
        key=lambda name: (len(cpus.marches()[name]), name),
    )
    compiler = replace(profile.build.compiler, march=more)
    return replace(profile, build=replace(profile.build, compiler=compiler)), machine


def _tiers(profile: Profile, machine: Machine) -> tuple[Profile, Machine]:
    large = profile.memory.total_gb + 1
    tiers: Any = {
        name: replace(getattr(profile.build.parallelism, name), memory_gb=large)
        for name in ("heavy", "medium", "light")
    }
    limits = replace(profile.build.parallelism, **tiers)
    return replace(profile, build=replace(profile.build, parallelism=limits)), machine


def _memory(key: str, other: Callable[[Any], object]) -> Lie:
    def lie(profile: Profile, machine: Machine) -> tuple[Profile, Machine] | None:
        changed: Any = {key: other(getattr(profile.memory, key))}
        if key == "type" and memory_kind.declared(machine.module_type) == "unknown":
            return None
        return replace(profile, memory=replace(profile.memory, **changed)), machine

    return lie


def _zram(profile: Profile, machine: Machine) -> tuple[Profile, Machine] | None:
    zram = profile.memory.zram
    if zram is None:
        return None
    other = replace(zram, percent=zram.percent + 20)
    return replace(profile, memory=replace(profile.memory, zram=other)), machine


def _disk(key: str, other: Callable[[Any], object]) -> Lie:
    def lie(profile: Profile, machine: Machine) -> tuple[Profile, Machine] | None:
        first, *rest = profile.storage.disks
        if getattr(first, key) is None or not machine.system_disks:
            return None
        changed: Any = {key: other(getattr(first, key))}
        disks = (replace(first, **changed), *rest)
        return replace(profile, storage=replace(profile.storage, disks=disks)), machine

    return lie


def _queue(profile: Profile, machine: Machine) -> tuple[Profile, Machine] | None:
    """A scheduler that no kernel offers, for all disks: those of a kind have the same one."""
    if not any(disk.scheduler for disk in profile.storage.disks):
        return None
    disks = tuple(replace(disk, scheduler="elevator") for disk in profile.storage.disks)
    return replace(profile, storage=replace(profile.storage, disks=disks)), machine


def _session(profile: Profile, machine: Machine) -> tuple[Profile, Machine] | None:
    if machine.session_type is None:
        return None
    other = "x11" if profile.session.type == "wayland" else "wayland"
    return replace(profile, session=replace(profile.session, type=other)), machine


def _desktop(profile: Profile, machine: Machine) -> tuple[Profile, Machine] | None:
    if machine.desktop is None:
        return None
    other = "gnome" if profile.session.desktop == "plasma6" else "plasma6"
    return replace(profile, session=replace(profile.session, desktop=other)), machine


def _card(change: Callable[[Gpu, Machine], Gpu | None]) -> Lie:
    """The first card that something can be said about falsely."""

    def lie(profile: Profile, machine: Machine) -> tuple[Profile, Machine] | None:
        for index, card in enumerate(profile.gpus):
            other = change(card, machine)
            if other is not None:
                cards = (*profile.gpus[:index], other, *profile.gpus[index + 1 :])
                return replace(profile, gpus=cards), machine
        return None

    return lie


def _other_role(card: Gpu, _: Machine) -> Gpu | None:
    other = {"draws": "offload", "offload": "draws"}.get(card.role)
    return replace(card, role=other) if other else None


def _other_architecture(card: Gpu, _: Machine) -> Gpu | None:
    if card.architecture is None:
        return None
    names = [n for n in graphics.architectures()[card.vendor] if n != card.architecture]
    return replace(card, architecture=names[-1])


def _other_capability(card: Gpu, _: Machine) -> Gpu | None:
    return replace(card, compute_capability="1.0") if card.compute_capability else None


def _other_memory(card: Gpu, _: Machine) -> Gpu | None:
    return replace(card, memory_mb=2 * card.memory_mb) if card.memory_mb else None


def _no_card(profile: Profile, machine: Machine) -> tuple[Profile, Machine] | None:
    """The machine has lost all of them; a guest of WSL shows none."""
    if not profile.gpus or machine.platform == "wsl":
        return None
    return profile, replace(machine, gpus=(), nvidia=(), nvidia_driver=None)


def _undriven(profile: Profile, machine: Machine) -> tuple[Profile, Machine] | None:
    """Nothing holds any card any more."""
    if not any(graphics.drives(gpu.driver) for gpu in machine.gpus or ()) or not profile.gpus:
        return None
    bare = tuple(replace(gpu, driver="") for gpu in machine.gpus or ())
    return profile, replace(machine, gpus=bare)


def _too_new(profile: Profile, machine: Machine) -> tuple[Profile, Machine] | None:
    """A kernel that nobody has seen the legacy branch with, and that does not run with it."""
    changed = _undriven(profile, replace(machine, kernel="99.1", nvidia_driver=None))
    return changed if _legacy(profile) else None


def _legacy(profile: Profile) -> bool:
    generations = (graphics.generation(one.architecture or "") for one in profile.by_nvidia)
    return any(generation and generation.last_branch for generation in generations)


LIES: dict[str, Lie] = {
    "system": lambda p, m: (p, replace(m, arch="aarch64")),
    "platform": _platform,
    "cpu.vendor": _cpu("vendor", lambda vendor: "amd" if vendor == "intel" else "intel"),
    "cpu.cores": _cpu("cores", lambda cores: cores + 1),
    "cpu.threads": _cpu("threads", lambda threads: threads + 1),
    "build.compiler.march": _march,
    "build.tiers": _tiers,
    "gpus": _no_card,
    "gpus.pciId": _card(
        lambda c, _: replace(c, pci_id=f"{c.pci_id[:5]}0001") if c.pci_id else None
    ),
    "gpus.driver": _undriven,
    "gpus.role": _card(_other_role),
    "gpus.architecture": _card(_other_architecture),
    "gpus.computeCapability": _card(_other_capability),
    "gpus.memoryMB": _card(_other_memory),
    "gpus.branch": lambda p, m: (p, replace(m, nvidia_driver="999.1")) if _legacy(p) else None,
    "kernel": _too_new,
    "memory.totalGB": _memory("total_gb", lambda total: 2 * total),
    "memory.type": _memory("type", lambda kind: "HBM3" if kind != "HBM3" else "DDR5"),
    "memory.zramDevice": _zram,
    "storage.kind": _disk("kind", lambda kind: "nvme" if kind != "nvme" else "hdd"),
    "storage.sizeGB": _disk("size_gb", lambda size: 3 * size),
    "storage.queue": _queue,
    "session.desktop": _desktop,
    "session.type": _session,
}


def breaks(fact: str, profile: Profile, honest: Profile) -> bool:
    """Whether something in force would break over it, said here once more and in other words."""
    settings = in_force(profile)
    nix = [setting for setting in settings if setting.layer in (Layer.NIXOS, Layer.HOME_MANAGER)]
    drawn = any(setting.needs & DRAWN for setting in settings) and profile.drawing is not None
    nvidia = any("nvidia" in setting.needs for setting in settings) and profile.nvidia is not None
    match fact:
        case "system":
            return bool(nix)
        case "build.compiler.march":
            return any(one.phase in (Phase.LIBRARIES, Phase.RUNTIMES) for one in nix)
        case "build.tiers":
            return any(setting.id.startswith("build.") for setting in settings)
        case "gpus" | "gpus.driver":
            return drawn or nvidia
        case "gpus.role":  # of the card whose role is the lie
            (card,) = [
                one for one, own in zip(profile.gpus, honest.gpus, strict=True) if one != own
            ]
            drawn, nvidia = drawn and card.role == "draws", nvidia and card.driver == "nvidia"
            return drawn or nvidia
    return False


def verdicts(fact: str, name: str) -> tuple[Profile, list[FactVerdict]] | None:
    lied = LIES[fact](profile_of(name), recorded(name))
    if lied is None:
        return None
    profile, machine = lied
    found = gate(profile, machine, in_force(profile))
    return profile, [verdict for verdict in found if verdict.fact == fact]


def test_every_fact_of_the_gate_is_made_false() -> None:
    assert LIES.keys() == set(FACTS)
    for fact in FACTS:
        applies = [name for name in NAMES if LIES[fact](profile_of(name), recorded(name))]
        assert applies, fact


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fact", FACTS)
def test_a_false_fact_is_caught_on_every_machine(name: str, fact: str) -> None:
    lied = verdicts(fact, name)
    if lied is None:  # there is nothing of the kind to lie about, so nothing is claimed of it
        assert fact.startswith(("gpus", "kernel", "memory", "storage", "session"))
        return
    profile, found = lied
    wrong = [one for one in found if one.outcome in (FactOutcome.DIFFERS, FactOutcome.BLOCKS)]
    assert wrong, found
    blocks = [one for one in wrong if one.outcome is FactOutcome.BLOCKS]
    if fact not in ("gpus.architecture", "session.type"):  # tests/gate/test_gate.py has those
        assert bool(blocks) is breaks(fact, profile, profile_of(name)), wrong
    assert all(block.settings and block.fix for block in blocks)
    assert all(one.fix or one.why for one in wrong)
