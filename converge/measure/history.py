"""All measurements of one workspace, kept there (``measurements.json``).

A damaged history is put aside under another name, and a new one is begun.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from converge.journal.form import taken
from converge.journal.measured import EarlierMeasurement, MeasurementRecord
from converge.measure.felt import Felt
from converge.measure.memory import MemoryUse
from converge.text.limits import document

VERSION = 1
NAME = "measurements.json"
LIMIT = 400  # rows of each kind; the oldest are dropped
SHOWN = 5  # earlier measurements that a record repeats
#: Fields of a measurement that are kept; its single samples are in the journal of its run.
_KEPT = ("subject", "benchmark", "measured", "low", "high", "unit", "n", "verdict", "cpu")

Row = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class History:
    samples: tuple[Row, ...] = ()  # of memory
    measurements: tuple[Row, ...] = ()
    damaged: bool = False

    @classmethod
    def parse(cls, content: bytes) -> History:
        if not content:
            return cls()
        try:
            data = document(content)
            if data["version"] != VERSION:
                raise ValueError("version")
            samples, measurements = (
                tuple(row for row in data[key] if isinstance(row, dict))
                for key in ("samples", "measurements")
            )
        except (ValueError, KeyError, TypeError):
            return cls(damaged=True)
        return cls(samples=samples, measurements=measurements)

    def encode(self) -> bytes:
        data = {
            "version": VERSION,
            "samples": self.samples[-LIMIT:],
            "measurements": self.measurements[-LIMIT:],
        }
        return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()

    def with_sample(
        self, memory: MemoryUse, felt: Felt, *, run: str, time: str, applied: bool
    ) -> History:
        """The history with one more sample. ``applied``: whether a run has written on the workspace
        before, so that the sample counts as "after"."""
        sample = {
            "run": run,
            "time": time,
            "when": "after" if applied else "before",
            "cpu": memory.cpu,
            "total_kb": memory.total_kb,
            "available_kb": memory.available_kb,
            "used": {
                name: {"kb": used.kb, "processes": used.processes, "instance": used.instance}
                for name, used in memory.used.items()
            },
            "felt": {"program": felt.program, **felt.values},
        }
        return History(samples=(*self.samples, sample), measurements=self.measurements)

    def with_measurements(
        self, records: Sequence[MeasurementRecord], *, run: str, time: str
    ) -> History:
        rows = (
            {"run": run, "time": time, **{key: getattr(record, key) for key in _KEPT}}
            for record in records
            if record.n
        )
        return History(samples=self.samples, measurements=(*self.measurements, *rows))

    def earlier(self, subject: str, benchmark: str) -> tuple[EarlierMeasurement, ...]:
        """Earlier measurements of a subject, newest last, at most ``SHOWN``."""
        rows = (
            row
            for row in self.measurements
            if row.get("subject") == subject and row.get("benchmark") == benchmark
        )
        return tuple(taken(EarlierMeasurement, row) for row in rows)[-SHOWN:]
