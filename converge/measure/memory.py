"""Memory of a workspace's programs. In: the output of ``remote/memory.sh``. Out: samples."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from converge.measure.gain import middle
from converge.text.limits import decimal, number


class UnknownMemory(Exception):
    """The workspace's answer is incomplete or malformed."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """Memory of one program, all its processes together, as the median of the readings.

    ``instance``: the boot and the start time of its oldest process. All readings of one instance
    are one sample; another start is another sample.
    """

    kb: float
    processes: int
    instance: str


@dataclass(frozen=True, kw_only=True)
class MemoryUse:
    boot: str
    cpu: str
    total_kb: float
    available_kb: float
    used: Mapping[str, Used] = field(default_factory=dict)
    history: bytes = b""  # of earlier runs, as it is on the workspace; empty: none


def parse(lines: Iterable[str]) -> MemoryUse:
    """The memory in the output of ``remote/memory.sh``.

    Raises ``UnknownMemory`` where the output is cut or malformed.
    """
    rows = list(lines)
    if not rows or rows[0] != "workspace-memory 1" or rows[-1] != "end":
        raise UnknownMemory("the workspace's answer about its memory was cut, or is not one")
    facts: dict[str, str] = {}
    available: list[float] = []
    reading: dict[str, dict[int, float]] = {}
    readings: dict[str, list[float]] = {}
    starts: dict[str, dict[str, int]] = {}
    try:
        middle_row = rows.index("history")
        for row in rows[1:middle_row]:
            word, _, rest = row.partition(" ")
            if word == "process":
                name, pid, start, kb = rest.rsplit(" ", 3)
                reading.setdefault(name, {})[number(pid)] = decimal(kb)
                starts.setdefault(name, {})[pid] = number(start)
            elif word == "available":  # the last line of a reading
                available.append(decimal(rest))
                for name, found in reading.items():
                    readings.setdefault(name, []).append(sum(found.values()))
                reading = {}
            else:
                facts[word] = rest
        history = base64.b64decode("".join(rows[middle_row + 1 : -1]), validate=True)
        total = decimal(facts["total"])
        boot = facts["boot"]
    except (ValueError, KeyError, binascii.Error) as error:
        raise UnknownMemory(f"the workspace's answer about its memory is odd: {error}") from error
    return MemoryUse(
        boot=boot,
        cpu=facts.get("cpu", ""),
        total_kb=total,
        available_kb=middle(available),
        used={
            name: Used(
                kb=middle(values),
                processes=len(starts[name]),
                instance=f"{boot}:{min(starts[name].values())}",
            )
            for name, values in readings.items()
        },
        history=history,
    )


def before_and_after(
    samples: Iterable[Mapping[str, object]], names: Sequence[str]
) -> tuple[list[float], list[float]]:
    """KB of the named programs before the first run and after it, one value for each start."""
    groups: dict[str, dict[str, float]] = {"before": {}, "after": {}}
    for sample in samples:
        group, used = groups.get(str(sample.get("when"))), sample.get("used")
        if group is None or not isinstance(used, dict):
            continue
        for name in names:
            one = used.get(name)
            if isinstance(one, dict) and isinstance(one.get("kb"), int | float):
                group[str(one.get("instance"))] = float(one["kb"])
    # A process that was started before the run does not show the state after the run.
    for instance in groups["before"]:
        groups["after"].pop(instance, None)
    return list(groups["before"].values()), list(groups["after"].values())
