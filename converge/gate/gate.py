"""A profile, the machine and the settings in force go in; a verdict per fact comes out.

1. Each fact is looked at alone: is what the profile declares true of the machine?
2. A false fact is harmless, unless something in force would break because of it.
3. What would break a boot, the display, or every program that is built stops the run. It cannot be
   consented to; a mere waste or a failing build can (``--data accept=<fact>``).
4. A fact that cannot be seen is said to be unknown. It stops the run only where going wrong would
   break a boot, because then nobody has checked at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from converge.gate.facts import branch, cards, cpu, disk, memory, session
from converge.gate.facts.verdict import FactOutcome, FactVerdict, Look
from converge.gate.machine import Machine
from converge.journal.kinds import VerdictRecord
from converge.profile.profile import Profile
from converge.setting import Setting

__all__ = ["FACTS", "FactOutcome", "FactVerdict", "blocking", "differences", "gate", "record"]

#: Every fact that a verdict can be about, in the order of the verdicts.
FACTS = (
    "system",
    "platform",
    "cpu.vendor",
    "cpu.cores",
    "cpu.threads",
    "build.compiler.march",
    "build.tiers",
    "gpus",
    "gpus.pciId",
    "gpus.driver",
    "gpus.role",
    "gpus.architecture",
    "gpus.computeCapability",
    "gpus.memoryMB",
    "gpus.branch",
    "kernel",
    "memory.totalGB",
    "memory.type",
    "memory.zramDevice",
    "storage.kind",
    "storage.sizeGB",
    "storage.queue",
    "session.desktop",
    "session.type",
)

#: Names of facts that are those of settings: an id is one or the other.
FORMER = {
    "build.parallelism": "build.tiers",
    "memory.zram": "memory.zramDevice",
    "storage.scheduler": "storage.queue",
}


def gate(
    profile: Profile,
    machine: Machine,
    settings_in_force: Iterable[Setting],
    *,
    accept: frozenset[str] = frozenset(),
) -> tuple[FactVerdict, ...]:
    """Compare ``profile`` with ``machine``. ``accept`` names facts whose block is consented to."""
    look = Look(profile, machine, tuple(settings_in_force))
    verdicts = [
        *cpu.system(look),
        *cpu.cpu(look),
        *cpu.march(look),
        *cpu.parallelism(look),
        *cards.cards(look),
        *branch.branch(look),
        *memory.memory(look),
        *disk.storage(look),
        *session.session(look),
    ]
    result = []
    for verdict in verdicts:
        if verdict.outcome is FactOutcome.BLOCKS and verdict.overridable and verdict.fact in accept:
            why = f"{verdict.why}; consented to"
            verdict = replace(verdict, outcome=FactOutcome.DIFFERS, why=why)
        result.append(verdict)
    return tuple(result)


def record(verdict: FactVerdict) -> VerdictRecord:
    """A verdict as a record of the journal."""
    return VerdictRecord(
        fact=verdict.fact,
        outcome=verdict.outcome.value,
        declared=verdict.declared,
        found=verdict.found,
        why=verdict.why,
        fix=verdict.fix,
        settings=verdict.settings,
    )


def blocking(verdicts: Iterable[FactVerdict]) -> tuple[FactVerdict, ...]:
    """Return the verdicts that refuse the run."""
    return tuple(verdict for verdict in verdicts if verdict.outcome is FactOutcome.BLOCKS)


def differences(profile: Profile, machine: Machine) -> tuple[FactVerdict, ...]:
    """Return what is not true of the machine, whatever it is needed for."""
    return tuple(v for v in gate(profile, machine, ()) if v.outcome is FactOutcome.DIFFERS)
