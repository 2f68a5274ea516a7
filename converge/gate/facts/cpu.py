"""Processor: whether the code that is built runs here, and whether the machine can build it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from converge.gate.facts.verdict import FactOutcome, FactVerdict, Look
from converge.hardware import cpus
from converge.setting import Layer


def system(look: Look) -> Iterator[FactVerdict]:
    declared, arch = look.profile.system, look.machine.arch
    verdict = look.same("system", declared, f"{arch}-linux" if arch else None, "name another host")
    nix = tuple(s for s in look.settings if s.layer in {Layer.NIXOS, Layer.HOME_MANAGER})
    if verdict.outcome is FactOutcome.DIFFERS and nix:
        verdict = replace(
            verdict,
            outcome=FactOutcome.BLOCKS,
            why="programs for another processor do not start",
            settings=look.ids(nix),
            overridable=False,
        )
    yield verdict
    platform = look.same("platform", look.profile.platform, look.machine.platform)
    if platform.outcome is FactOutcome.DIFFERS:
        platform = replace(platform, why="layers that are not there do not apply")
    yield platform


def cpu(look: Look) -> Iterator[FactVerdict]:
    declared, machine = look.profile.cpu, look.machine
    vendor = machine.cpu_vendor
    if vendor is not None and vendor not in {"intel", "amd"}:
        vendor = "other"
    verdict = look.same("cpu.vendor", declared.vendor, vendor)
    yield replace(verdict, outcome=FactOutcome.UNKNOWN) if declared.vendor == "unknown" else verdict
    yield look.same("cpu.cores", declared.cores, machine.cores)
    yield look.same("cpu.threads", declared.threads, machine.threads)


def march(look: Look) -> Iterator[FactVerdict]:
    """Judge the march: every CPU must have each feature that compiled code may use."""
    fact, name = "build.compiler.march", look.profile.build.compiler.march
    needed, flags = look.compiled, look.machine.cpu_flags
    boots = any(s.layer is Layer.NIXOS for s in needed)
    if flags is None:
        yield FactVerdict(
            fact=fact,
            outcome=FactOutcome.BLOCKS if needed else FactOutcome.UNKNOWN,
            declared=name,
            found="no CPU features",
            why="/proc/cpuinfo could not be read, so nobody knows whether such code runs",
            fix="look why /proc/cpuinfo has no flags",
            settings=look.ids(needed),
            overridable=not boots,
        )
        return
    numbers = look.machine.cpu_vendor, look.machine.cpu_family, look.machine.cpu_number
    own = cpus.march_of_numbers(*numbers)
    shown = cpus.hidden_features(own) if own else frozenset[str]()
    hidden = cpus.hidden_features(name) - shown  # not in cpuinfo, so the CPU's numbers decide
    missing = sorted(cpus.missing_flags(name, flags) | hidden)
    if not missing:
        yield FactVerdict(
            fact=fact, outcome=FactOutcome.TRUE, declared=name, found="every feature of it"
        )
        return
    best = cpus.family_march(*numbers, flags)
    yield FactVerdict(
        fact=fact,
        outcome=FactOutcome.BLOCKS if needed else FactOutcome.DIFFERS,
        declared=name,
        found=f"a CPU without {' '.join(missing)}",
        why="code compiled for it dies with an invalid opcode"
        + (", the system's own included" if boots else ""),
        fix=look.edit(fact, best),
        settings=look.ids(needed),
        overridable=not boots,
    )


def parallelism(look: Look) -> Iterator[FactVerdict]:
    """Judge the build tiers: a build must not need more memory or threads than the machine has."""
    fact, limits = "build.tiers", look.profile.build.parallelism
    memory, threads = look.machine.usable_gb, look.machine.threads
    needed = look.named("build.")
    chosen = {
        str(s.value["tier"]) for s in needed if isinstance(s.value, dict) and "tier" in s.value
    }
    tiers = {"heavy": limits.heavy, "medium": limits.medium, "light": limits.light}
    largest = max(tiers.values(), key=lambda tier: tier.memory_gb)
    used = max(
        (tier for name, tier in tiers.items() if name in chosen),
        key=lambda tier: tier.memory_gb,
        default=largest,
    )
    most = max(tier.cores for tier in tiers.values())
    verdict = FactVerdict(
        fact=fact,
        outcome=FactOutcome.TRUE,
        declared=f"up to {largest.memory_gb} GB and {most} threads for one build",
        found=f"{memory} GB and {threads} threads",
    )
    if memory is None or threads is None:
        yield replace(verdict, outcome=FactOutcome.UNKNOWN, found="nothing")
    elif largest.memory_gb > memory:
        blocks = needed and used.memory_gb > memory
        yield replace(
            verdict,
            outcome=FactOutcome.BLOCKS if blocks else FactOutcome.DIFFERS,
            why="a build of that size ends with programs of the desktop killed for memory",
            fix=f"lower memoryGB of the tiers to at most {memory} in {look.profile.file}",
            settings=look.ids(needed),
        )
    elif most > threads:
        yield replace(
            verdict,
            outcome=FactOutcome.DIFFERS,
            why="more threads than there are only wait for each other",
            fix=f"lower cores of the tiers to at most {max(1, threads - 1)} in {look.profile.file}",
            settings=look.ids(needed),
        )
    else:
        yield verdict
