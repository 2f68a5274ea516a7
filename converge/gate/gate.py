"""The hardware gate. In: a profile, the machine, the settings in force. Out: a verdict per fact.

1. Each fact is compared alone: is the declaration true of the machine?
2. A false fact is harmless, unless a setting in force would break because of it.
3. A false fact that would break a boot, the display, or every built program blocks the run, and
   no consent helps. One that wastes something or fails a build blocks the run until
   ``--data accept=<fact>`` consents.
4. A fact that cannot be seen is unknown. It blocks the run only where a setting in force could
   break a boot, the display or programs without it.
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

#: The facts that may block a run until ``--data accept=<fact>`` consents. Consent to another fact
#: changes nothing.
CONSENTS = (
    "build.compiler.march",
    "build.tiers",
    "gpus",
    "gpus.driver",
    "gpus.role",
    "session.type",
)

#: Former names of facts -> the present names. They were ids of settings too; now an id is one or
#: the other.
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
    """Compare ``profile`` with ``machine``. A verdict that would block and is overridable differs
    instead, where ``accept`` names its fact."""
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
    """Return the verdicts that differ, without regard to any setting."""
    return tuple(v for v in gate(profile, machine, ()) if v.outcome is FactOutcome.DIFFERS)
