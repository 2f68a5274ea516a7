"""The profile must be true of the machine before anything is written."""

from __future__ import annotations

from converge.exits import Exit
from converge.gate import detect, gate
from tasks.run.stages import Over, Planned


def hardware(work: Planned) -> Planned:
    """Compare the profile with the machine. The blocking verdicts end the run once the plan was
    shown."""
    try:
        machine = detect.parse("\n".join(work.snapshot.machine) + "\n")
    except detect.NotDetected as error:
        raise Over(f"the machine could not be read: {error}") from error
    in_force = [standing.setting for standing in work.plan.standings if standing.in_force]
    verdicts = gate.gate(work.profile, machine, in_force, accept=work.choices.accept)
    work.record(*map(gate.record, verdicts))
    return Planned.of(work, blocks=gate.blocking(verdicts))


def refused(work: Planned) -> Over:
    """The ``Over`` of a run that the gate refuses."""
    first = work.blocks[0]
    needed = ", ".join(first.settings[:3])
    return Over(
        f"{first.fact}: the profile says {first.declared}, the machine {first.found}; "
        f"needed by {needed}; to do: {first.fix}",
        Exit.REFUSED,
    )
