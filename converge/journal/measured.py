"""The records of what was measured: memory in use, and the gain that a claim promises.

``converge.journal.kinds`` has the table of all kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated as A

from converge.journal.form import Says

#: Words of a measurement.
CLAIM_WORDS = ("met", "below", "no evidence", "worse")


@dataclass(frozen=True, kw_only=True)
class ProgramMemory:
    """Memory of one program."""

    kb: A[
        float | None, Says("Pss + SwapPss of all its processes in KB, the median of the readings")
    ]
    processes: A[int, Says("How many processes were seen")]


@dataclass(frozen=True, kw_only=True)
class MemoryRecord:
    """Memory in use was read."""

    when: A[
        str,
        Says("The first run that wrote on this workspace", rules={"enum": ["before", "after"]}),
    ]
    cpu: A[str, Says("Model of the CPU")]
    total_kb: A[float | None, Says("Memory of the machine in KB")]
    available_kb: A[
        float | None, Says("The kernel's MemAvailable in KB, the median of the readings")
    ]
    used: A[
        Mapping[str, ProgramMemory],
        Says("By name of the program, or of the slice of an application"),
    ]


@dataclass(frozen=True, kw_only=True)
class ClaimedRange:
    """The claimed range; null for the control."""

    low: A[float | None, Says("Least gain that is claimed")]
    high: A[float | None, Says("Largest gain that is claimed")]
    unit: A[str, Says("Unit of both")]


@dataclass(frozen=True, kw_only=True)
class EarlierMeasurement:
    """One earlier measurement."""

    time: A[str, Says("When, in UTC")]
    measured: A[float | None, Says("The gain then")]
    low: A[float | None, Says("Lower end of its interval")]
    high: A[float | None, Says("Upper end of it")]
    n: A[int, Says("Pairs of runs")]
    verdict: A[str, Says("The verdict then")]


@dataclass(frozen=True, kw_only=True)
class MeasurementRecord:
    """A claim was measured, or why it was not. Gains are in percent, more is better."""

    subject: A[str, Says("What the plan claims something about; control: stock against itself")]
    benchmark: A[str, Says("Id of the benchmark, memory, or empty where nothing was measured")] = ""
    kind_of_gain: A[
        str,
        Says(
            "faster: so much more work in the same time; smaller: so much less memory",
            rules={"enum": ["faster", "smaller", ""]},
        ),
    ] = ""
    settings: A[tuple[str, ...], Says("Settings that make the claim")]
    claimed: A[ClaimedRange | None, Says("The claimed range; null for the control")]
    measured: A[float | None, Says("The gain (Hodges-Lehmann)")] = None
    low: A[
        float | None,
        Says("Lower end of its 99 % interval; null where there are too few samples"),
    ] = None
    high: A[float | None, Says("Upper end of it")] = None
    unit: A[str, Says("Unit of the three")] = "%"
    n: A[
        int,
        Says("Pairs of runs, or starts of the program in the smaller group", rules={"minimum": 0}),
    ] = 0
    verdict: A[
        str,
        Says(
            "Each but no evidence is carried by the whole interval",
            otherwise="no evidence",
            rules={"enum": list(CLAIM_WORDS)},
        ),
    ]
    why: A[str, Says("Why")]
    stock: A[str, Says("The stock program or directory of libraries")] = ""
    optimized: A[str, Says("The optimized one")] = ""
    cpu: A[str, Says("Model of the CPU")] = ""
    load: A[str, Says("Load of the machine at the start")] = ""
    compared: A[
        str,
        Says(
            "Which seconds the gain is computed from: CPU time, or time by the clock where CPU "
            "time is not known finely enough",
            rules={"enum": ["cpu", "wall", ""]},
        ),
    ] = ""
    earlier: A[
        tuple[EarlierMeasurement, ...],
        Says("What was measured of it before on this workspace, newest last, at most five"),
    ] = ()
    samples: A[
        tuple[
            A[
                tuple[float, ...],
                Says(
                    "CPU seconds of stock and optimized, then seconds by the clock of both; for "
                    "memory KB of all samples before, then after"
                ),
            ],
            ...,
        ],
        Says("What the figures were computed from"),
    ] = ()
