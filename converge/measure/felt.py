"""Times and CPU use that a person feels. In: readings of ``remote/felt.sh``. Out: records.

A run of ``tasks/measure.py`` is one sample: its readings come from one state of the machine, so
five readings prove no more than one. The fewest samples that prove something are five runs before
the first ``deploy.py`` and five runs after, as with the memory of programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from converge.journal.measured import MeasurementRecord
from converge.measure.gain import judge, smaller
from converge.measure.samples import figures
from converge.setting import Claim
from converge.text.limits import decimal

#: Name of a figure -> what it is, for a person, and the settings that are about it.
FELT: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "short": (
        "start of an application while memory is short",
        ("memory.zram", "memory.page-cluster", "memory.swappiness"),
    ),
    "cold": ("start of an application, cold", ("storage.scheduler",)),
    "warm": ("start of an application, warm", ("libraries.leaf.home",)),
    "video": ("CPU while a 1080p video plays", ("video.vaapi-driver",)),
}
#: What these samples cannot measure, and why. Reports name it with the reason.
NOT_FELT: Mapping[str, str] = {
    "time of a rebuild": "it depends on what an update changes: each journal has the seconds of "
    "its own build",
}
#: Programs to start: the first that the workspace has is used. python3 is everywhere.
PROGRAMS = ("dolphin", "konsole", "kate", "firefox", "python3")
BENCHMARK = "felt"
#: The claim for every figure: some gain, of any size.
_ANY = Claim(subject=BENCHMARK, low=0, high=0)


class UnknownFelt(Exception):
    """The workspace's answer is incomplete or malformed."""


@dataclass(frozen=True, kw_only=True)
class Felt:
    """``values``: the median of the readings, in milliseconds or in percent of one CPU; ``why``:
    why a figure is missing."""

    program: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)


def parse(lines: Iterable[str]) -> Felt:
    """The figures in the output of ``remote/felt.sh``. Raises ``UnknownFelt``."""
    rows = list(lines)
    if not rows or rows[0] != "workspace-felt 1" or rows[-1] != "end":
        raise UnknownFelt("the workspace's answer about what is felt was cut, or is not one")
    program = ""
    readings: dict[str, list[float]] = {}
    why: dict[str, str] = {}
    for row in rows[1:-1]:
        word, _, rest = row.partition(" ")
        name, _, said = rest.partition(" ")
        if word == "program":
            program = rest
        elif word == "without" and name in FELT and said:
            why[name] = said
        elif word == "felt" and name in FELT:
            readings.setdefault(name, []).append(_figure(said))
        else:
            raise UnknownFelt(f"the workspace's answer is odd: {row[:60]!r}")
    values = {name: median(found) for name, found in readings.items() if name not in why}
    lost = dict.fromkeys(FELT.keys() - values.keys() - why.keys(), "no reading of it succeeded")
    return Felt(program=program, values=values, why={**why, **lost})


def _figure(text: str) -> float:
    try:
        value = decimal(text)
    except ValueError as error:
        raise UnknownFelt(f"the workspace's answer has an odd figure: {text[:60]!r}") from error
    if value < 0:
        raise UnknownFelt(f"the workspace's answer has a figure below zero: {text[:60]}")
    return value


def before_and_after(
    samples: Iterable[Mapping[str, object]], name: str, program: str
) -> tuple[list[float], list[float]]:
    """The samples of a figure before the first run and after it, only those of ``program``."""
    groups: dict[str, list[float]] = {"before": [], "after": []}
    for sample in samples:
        group, felt = groups.get(str(sample.get("when"))), sample.get("felt")
        if group is None or not isinstance(felt, dict):
            continue
        value = felt.get(name)
        same = name == "video" or felt.get("program") == program
        if same and isinstance(value, int | float) and value > 0:
            group.append(float(value))
    return groups["before"], groups["after"]


def compared(felt: Felt, samples: Sequence[Mapping[str, object]]) -> list[MeasurementRecord]:
    """A record for each figure: its value now, and before the first run against after it."""
    found = []
    for name, (subject, settings) in FELT.items():
        if name not in felt.values:
            found.append(_without(subject, settings, felt.why[name]))
            continue
        before, after = before_and_after(samples, name, felt.program)
        gain = smaller(before, after)
        verdict, why = judge(gain, _ANY)
        counts = f"{len(before)} before, {len(after)} after"
        unit = "% of one CPU" if name == "video" else "ms"
        now = f"now {felt.values[name]:.0f} {unit}"
        if gain is None:
            why = f"{counts}; one run of tasks/measure.py is one sample"
        found.append(
            MeasurementRecord(
                **figures(gain),
                subject=subject,
                benchmark=BENCHMARK,
                kind_of_gain="smaller",
                settings=settings,
                claimed=None,
                verdict=verdict.value,
                why=f"{now}; {why} ({counts})" if gain else f"{now}; {why}",
                samples=(tuple(before), tuple(after)),
            )
        )
    found += (_without(subject, (), why) for subject, why in NOT_FELT.items())
    return found


def _without(subject: str, settings: tuple[str, ...], why: str) -> MeasurementRecord:
    return MeasurementRecord(
        subject=subject,
        settings=settings,
        claimed=None,
        verdict=judge(None, _ANY)[0].value,
        why=f"cannot be measured here: {why}",
    )
