"""Measure the alternatives of a choice: ``tasks/measure.py --data choose=zram.algorithm``.

Nothing is changed on the workspace. A person may write the proposed value into the inventory file.
"""

from __future__ import annotations

import os

from converge.exits import Exit, Outcome
from converge.measure import choice
from converge.measure import samples as measure_samples
from converge.measure.options import Options
from tasks.reach.remote import Answer
from tasks.run.stages import Over, Planned


def measured(work: Planned) -> Planned:
    """Measure the alternatives where ``choose`` names a choice, and end the run there.

    Raises ``Over`` with the proposal."""
    name = work.choices.choose
    if not name:
        return work
    zram = work.profile.memory.zram
    if zram is None:
        raise Over(
            f"{name}: the profile declares no zram, so there is nothing to choose", Exit.INVALID
        )
    names = choice.candidates(zram.algorithm)
    if work.run.dry:
        work.run.terminal.row((name, f"would be tried: {', '.join(names)}"), (26,))
        raise Over("", Outcome.TO_MEASURE, said=False)
    options = Options.read(os.environ)
    if work.choices.root and not options.trial:
        why = "a sandbox has no kernel of its own; MEASURE_TRIAL names a program in place of it"
        raise Over(f"{name}: {why}", Outcome.MEASURED, said=False)
    answer = work.remote(
        "choose",
        work.choices.user,
        str(options.rounds),
        str(options.seconds),
        options.trial,
        *names,
        sudo=not options.trial and work.snapshot.facts["uid"] != "0",
        timeout=options.seconds + 600,
    )
    trials = choice.parse(answer.lines) if answer.lines and not answer.lost else _none(answer)
    found = choice.propose(trials, in_use=zram.algorithm)
    for record in found.records:
        work.record(record)
        work.run.terminal.row((record.benchmark, measure_samples.sentence(record)), (26,))
    for lacking in trials.lacking:
        work.run.terminal.row((f"zram.{lacking}", "this kernel does not have it"), (26,))
    key = choice.CHOICES[name]
    if found.value == zram.algorithm:
        why = f"{name}: {found.why}; {zram.algorithm} stays"
    else:
        why = f'{name}: write {key}="{found.value}" into the inventory file: {found.why}'
    work.step("choose", "done" if found.records else "failed", why)
    raise Over(why, Outcome.MEASURED if found.records else Exit.FAILED, said=not found.records)


def _none(answer: Answer) -> choice.Samplings:
    return choice.Samplings(why=answer.first("failed") or answer.last_error)
