"""Records of measurements. In: the output of ``remote/measure.sh``. Out: ``MeasurementRecord``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from converge.journal.measured import ClaimedRange, EarlierMeasurement, MeasurementRecord
from converge.measure.benchmarks import Benchmark
from converge.measure.gain import ClaimVerdict, Gain, faster, judge
from converge.setting import Claim, Setting
from converge.text.limits import decimal, number

#: Seconds. A shorter run cannot have done the work: it timed the start of the program only.
SHORTEST = 0.02
CONTROL = "control"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run of a program, in seconds of CPU time and by the clock."""

    cpu: float
    wall: float


Pair = tuple[Sample, Sample]  # stock, optimized


@dataclass(frozen=True, kw_only=True)
class Samples:
    """``compared``: ``cpu``, because other programs do not disturb CPU time; ``wall`` where the
    workspace's clock of CPU time is too coarse. ``why``: why there are no ``pairs``."""

    cpu: str = ""
    load: str = ""
    compared: str = "wall"
    pairs: tuple[Pair, ...] = ()
    why: str = ""

    @property
    def gain(self) -> Gain | None:
        if self.compared == "cpu":
            return faster((stock.cpu, optimized.cpu) for stock, optimized in self.pairs)
        return faster((stock.wall, optimized.wall) for stock, optimized in self.pairs)


def parse(lines: Iterable[str]) -> Samples:
    """The samples in the output of ``remote/measure.sh``. A cut or malformed output gives no pairs
    and a ``why``. Never raises."""
    cpu = load = why = ""
    compared = "wall"
    results: dict[str, str] = {}
    shortest: dict[str, float] = {}  # seconds by the clock
    pairs: list[dict[str, Sample]] = []
    done = False
    for line in lines:
        word, _, rest = line.partition(" ")
        try:
            match word:
                case "cpu":
                    cpu = rest
                case "load":
                    load = rest
                case "clock" if rest == "cpu":
                    compared = rest
                case "result":
                    which, _, digest, *times = rest.split(" ")
                    results[which] = digest
                    shortest[which] = min(shortest.get(which, inf), _sample(times).wall)
                case "pair":
                    pairs.append({})
                case "sample":
                    which, *times = rest.split(" ")
                    pairs[-1][which] = _sample(times)
                    shortest[which] = min(shortest.get(which, inf), pairs[-1][which].wall)
                case "failed":
                    why = rest
                case "done":
                    done = True
        except (ValueError, IndexError):
            why = f"the answer has a line that is not understood: {line[:60]!r}"
    # The shortest of all runs: on a busy machine a run that does nothing may take long.
    for which, wall in shortest.items():
        if not why and wall < SHORTEST:
            took = f"{wall * 1000:.0f} ms"
            why = f"the {which} build ended after {took}: it did not do the work"
    if not why and len(set(results.values())) > 1:
        why = "the two builds gave different results for the same work"
    if not why and not done:
        why = "the answer was cut before its end"
    if not why and any(pair.keys() != {"stock", "optimized"} for pair in pairs):
        why = "the answer has a pair with one sample"
    if why:
        return Samples(cpu=cpu, load=load, why=why)
    whole = tuple((pair["stock"], pair["optimized"]) for pair in pairs)
    return Samples(cpu=cpu, load=load, compared=compared, pairs=whole)


def _sample(times: Sequence[str]) -> Sample:
    """From user and system time as ``times`` prints them, and seconds. Raises ``ValueError``."""
    user, system, wall = times
    return Sample(cpu=_seconds(user) + _seconds(system), wall=decimal(wall))


def _seconds(text: str) -> float:
    """``1m2.5s`` as 62.5."""
    minutes, mark, rest = text.partition("m")
    if not mark or not rest.endswith("s"):
        raise ValueError(text)
    return number(minutes) * 60 + decimal(rest[:-1])


def measurement(
    benchmark: Benchmark,
    samples: Samples,
    *,
    claim: Claim | None,
    settings: Sequence[Setting],
    stock: str,
    optimized: str,
    earlier: tuple[EarlierMeasurement, ...] = (),
) -> MeasurementRecord:
    """The record of a benchmark. Without a claim this is the control: stock against itself.

    ``earlier``: earlier measurements on this workspace (``History.earlier``)."""
    gain = samples.gain
    if samples.why:
        verdict, why = ClaimVerdict.NO_EVIDENCE, f"not measured: {samples.why}"
    elif claim is None:
        verdict, why = _control(gain)
    else:
        verdict, why = judge(gain, claim)
    return MeasurementRecord(
        **figures(gain),
        subject=claim.subject if claim else CONTROL,
        benchmark=benchmark.id,
        kind_of_gain="faster",
        settings=tuple(setting.id for setting in settings),
        claimed=claimed(claim),
        verdict=verdict.value,
        why=why,
        stock=stock,
        optimized=optimized,
        cpu=samples.cpu,
        load=samples.load,
        compared=samples.compared,
        samples=tuple(
            (stock.cpu, optimized.cpu, stock.wall, optimized.wall)
            for stock, optimized in samples.pairs
        ),
        earlier=earlier,
    )


def not_measured(subject: str, settings: Sequence[Setting], why: str) -> MeasurementRecord:
    """The record of a claim that nothing was measured for, and why."""
    return MeasurementRecord(
        subject=subject,
        settings=tuple(setting.id for setting in settings),
        claimed=claimed(settings[0].claim if settings else None),
        verdict=ClaimVerdict.NO_EVIDENCE.value,
        why=f"not measured: {why}",
    )


def memory(
    subject: str,
    gain: Gain | None,
    *,
    settings: Sequence[Setting],
    before: Sequence[float],
    after: Sequence[float],
) -> MeasurementRecord:
    """The record of a memory claim. ``before``, ``after``: KB, one sample for each start."""
    claim = settings[0].claim if settings else None
    assert claim is not None
    verdict, why = judge(gain, claim)
    counts = f"{len(before)} before, {len(after)} after"
    if gain is None:
        why = f"not measured: {counts}; take one sample before the first run and one after it"
    return MeasurementRecord(
        **figures(gain),
        subject=subject,
        benchmark="memory",
        kind_of_gain="smaller",
        settings=tuple(setting.id for setting in settings),
        claimed=claimed(claim),
        verdict=verdict.value,
        why=f"{why} ({counts})" if gain else why,
        samples=(tuple(before), tuple(after)),
    )


def claimed(claim: Claim | None) -> ClaimedRange | None:
    return ClaimedRange(low=claim.low, high=claim.high, unit=claim.unit) if claim else None


def _control(gain: Gain | None) -> tuple[ClaimVerdict, str]:
    """Judge stock against itself: a difference here shows the noise of the machine."""
    if gain is None or gain.low is None or gain.high is None:
        return ClaimVerdict.NO_EVIDENCE, "too few samples to tell how noisy the machine is"
    if gain.low <= 0 <= gain.high:
        return ClaimVerdict.NO_EVIDENCE, "stock against itself shows no difference, as it must"
    return (
        ClaimVerdict.WORSE,
        f"stock against itself differs by {gain.spread} %: the machine is too noisy now, "
        "do not believe gains of that size; measure again when it is quiet",
    )


def figures(gain: Gain | None) -> dict[str, Any]:
    """The fields of a record with figures; empty where nothing was measured."""

    def number(value: float | None) -> float | None:
        return None if value is None else round(value, 2) + 0.0  # never -0.0

    if gain is None:
        return {}
    low, high = number(gain.low), number(gain.high)
    return {"measured": number(gain.value), "low": low, "high": high, "n": gain.n}


def sentence(record: MeasurementRecord) -> str:
    """A measurement as one line for a person."""
    parts = []
    if claim := record.claimed:
        parts.append(f"claimed {claim.low:g} to {claim.high:g} {claim.unit}")
    if record.n:
        spread = "" if record.low is None else f" ({record.low} to {record.high})"
        parts.append(f"measured {record.measured} %{spread} {record.kind_of_gain}, n = {record.n}")
    parts.append(f"{record.verdict}: {record.why}")
    return "; ".join(parts)
