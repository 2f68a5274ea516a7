"""The profile must be true of the machine before anything is written."""

from __future__ import annotations

from converge.exits import Exit
from converge.gate import detect, gate
from tasks.run.begin import Work


def hardware(work: Work) -> None:
    """Compare the profile with the machine that was read; a lie that breaks something ends here."""
    if not work.open or work.plan is None or work.snapshot is None:
        return
    try:
        machine = detect.parse("\n".join(work.snapshot.machine) + "\n")
    except detect.NotDetected as error:
        work.stop(Exit.FAILED, f"the machine could not be read: {error}")
        return
    in_force = [standing.setting for standing in work.plan.standings if standing.in_force]
    verdicts = gate.gate(work.profile, machine, in_force, accept=work.choices.accept)
    for verdict in verdicts:
        work.record("verdict", **gate.record(verdict))
    blocks = gate.blocking(verdicts)
    if blocks:
        first = blocks[0]
        needed = ", ".join(first.settings[:3])
        work.stop(
            Exit.REFUSED,
            f"{first.fact}: the profile says {first.declared}, the machine {first.found}; "
            f"needed by {needed}; to do: {first.fix}",
        )
