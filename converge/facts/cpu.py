"""Processor: may the code that is built run here, and is there room to build it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from converge import hardware
from converge.facts.verdict import Look, Outcome, Verdict
from converge.setting import Layer


def system(look: Look) -> Iterator[Verdict]:
    declared, arch = look.profile.system, look.machine.arch
    verdict = look.same("system", declared, f"{arch}-linux" if arch else None, "name another host")
    nix = tuple(s for s in look.settings if s.layer in {Layer.NIXOS, Layer.HOME_MANAGER})
    if verdict.outcome is Outcome.DIFFERS and nix:
        verdict = replace(
            verdict,
            outcome=Outcome.BLOCKS,
            why="programs for another processor do not start",
            settings=look.ids(nix),
            overridable=False,
        )
    yield verdict
    platform = look.same("platform", look.profile.platform, look.machine.platform)
    if platform.outcome is Outcome.DIFFERS:
        platform = replace(platform, why="layers that are not there do not apply")
    yield platform


def cpu(look: Look) -> Iterator[Verdict]:
    declared, machine = look.profile.cpu, look.machine
    yield look.same("cpu.vendor", declared.vendor, machine.cpu_vendor)
    yield look.same("cpu.cores", declared.cores, machine.cores)
    yield look.same("cpu.threads", declared.threads, machine.threads)


def march(look: Look) -> Iterator[Verdict]:
    """Every CPU must have each feature that compiled code may use."""
    fact, name = "build.compiler.march", look.profile.build.compiler.march
    needed, flags = look.compiled, look.machine.cpu_flags
    boots = any(s.layer is Layer.NIXOS for s in needed)
    if flags is None:
        yield Verdict(
            fact=fact,
            outcome=Outcome.BLOCKS if needed else Outcome.UNKNOWN,
            declared=name,
            found="no CPU features",
            why="/proc/cpuinfo could not be read, so nobody knows whether such code runs",
            fix="look why /proc/cpuinfo has no flags",
            settings=look.ids(needed),
            overridable=not boots,
        )
        return
    missing = sorted(hardware.missing_flags(name, flags))
    if not missing:
        yield Verdict(fact=fact, outcome=Outcome.TRUE, declared=name, found="every feature of it")
        return
    best = hardware.family_march(
        look.machine.cpu_vendor, look.machine.cpu_family, look.machine.cpu_number, flags
    )
    yield Verdict(
        fact=fact,
        outcome=Outcome.BLOCKS if needed else Outcome.DIFFERS,
        declared=name,
        found=f"a CPU without {' '.join(missing)}",
        why="code compiled for it dies with an invalid opcode"
        + (", the system's own included" if boots else ""),
        fix=look.edit(fact, best),
        settings=look.ids(needed),
        overridable=not boots,
    )


def parallelism(look: Look) -> Iterator[Verdict]:
    """A tier must not need more memory or threads than the machine has."""
    fact, tiers = "build.parallelism", look.profile.build.parallelism
    memory, threads = look.machine.memory_gb, look.machine.threads
    most = max(tiers.heavy.memory_gb, tiers.medium.memory_gb, tiers.light.memory_gb)
    declared = f"{most} GB and {tiers.max_cores} threads for one build"
    if memory is None or threads is None:
        yield Verdict(fact=fact, outcome=Outcome.UNKNOWN, declared=declared, found="nothing")
        return
    found = f"{memory} GB and {threads} threads"
    needed = look.named("build.")
    if most > memory:
        yield Verdict(
            fact=fact,
            outcome=Outcome.BLOCKS if needed else Outcome.DIFFERS,
            declared=declared,
            found=found,
            why="a build of that size ends with programs of the desktop killed for memory",
            fix=f"lower memoryGB of the tiers to at most {memory} in {look.profile.file}",
            settings=look.ids(needed),
        )
    elif tiers.max_cores > threads:
        yield Verdict(
            fact=fact,
            outcome=Outcome.DIFFERS,
            declared=declared,
            found=found,
            why="more threads than there are only wait for each other",
            fix=look.edit("build.parallelism.maxCores", max(1, threads - 1)),
            settings=look.ids(needed),
        )
    else:
        yield Verdict(fact=fact, outcome=Outcome.TRUE, declared=declared, found=found)
