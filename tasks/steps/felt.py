"""Measure times and CPU use that a person feels, before the benchmarks, as on the page."""

from __future__ import annotations

from converge.measure import felt as measure_felt
from converge.measure.felt import FELT, Felt, UnknownFelt
from converge.measure.samples import sentence
from tasks.steps.sample import Measuring, samples_with

READINGS = 5
LIMIT_S = 900


def measured(work: Measuring) -> Measuring:
    """Take one sample of each figure, and compare it with samples of earlier runs.

    Where the answer cannot be read, these figures are missing and the run goes on."""
    if work.options.only:
        return work
    if work.memory is None:
        for name, (subject, _) in FELT.items():
            work.run.terminal.row((name, f"would be measured: {subject}"), (26,))
        return work
    names = (work.options.start,) if work.options.start else measure_felt.PROGRAMS
    answer = work.remote("felt", str(READINGS), *names, timeout=LIMIT_S)
    try:
        found = measure_felt.parse(answer.lines)
    except UnknownFelt as error:
        why = f"{error}: {answer.last_error}"
        found = Felt(why=dict.fromkeys(FELT, why))
    work = Measuring.of(work, felt=found)
    records = measure_felt.compared(found, samples_with(work))
    for record in records:
        work.record(record)
        work.run.terminal.row((record.subject, sentence(record)), (26,))
    return Measuring.of(work, records=[*work.records, *records])
