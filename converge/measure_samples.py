"""From what ``remote/measure.sh`` prints to a ``measurement`` record of the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from converge.measure import Gain, Verdict, faster, judge
from converge.measure_benchmarks import Benchmark
from converge.setting import Claim, Setting

#: Seconds below which a program cannot have done the work: starting it is all that was timed.
SHORTEST = 0.02
CONTROL = "control"


@dataclass(frozen=True, kw_only=True)
class Samples:
    """``pairs``: seconds of stock and of optimized. ``why``: why there are no usable ones."""

    cpu: str = ""
    load: str = ""
    pairs: tuple[tuple[float, float], ...] = ()
    why: str = ""


def parse(lines: Iterable[str]) -> Samples:
    """The samples in the output of ``remote/measure.sh``. What is cut or odd gives a ``why``."""
    cpu = load = why = ""
    results: dict[str, str] = {}
    pairs: list[tuple[float, float]] = []
    done = False
    for line in lines:
        word, _, rest = line.partition(" ")
        try:
            match word:
                case "cpu":
                    cpu = rest
                case "load":
                    load = rest
                case "result":
                    which, _, digest, seconds = rest.split(" ")
                    results[which] = digest
                    if float(seconds) < SHORTEST:
                        why = f"the {which} build ended after {float(seconds) * 1000:.0f} ms: " + (
                            "it did not do the work"
                        )
                case "pair":
                    _, stock, optimized = rest.split(" ")
                    pairs.append((float(stock), float(optimized)))
                case "failed":
                    why = rest
                case "done":
                    done = True
        except ValueError:
            why = f"the answer has a line that is not understood: {line[:60]!r}"
    if not why and len(set(results.values())) > 1:
        why = "the two builds gave different results for the same work"
    if not why and not done:
        why = "the answer was cut before its end"
    return Samples(cpu=cpu, load=load, pairs=() if why else tuple(pairs), why=why)


def measurement(
    benchmark: Benchmark,
    samples: Samples,
    *,
    claim: Claim | None,
    settings: Sequence[Setting],
    stock: str,
    optimized: str,
) -> Mapping[str, object]:
    """The fields of the record. Without a claim it is the control: stock against itself."""
    gain = faster(samples.pairs)
    if samples.why:
        verdict, why = Verdict.NO_EVIDENCE, f"not measured: {samples.why}"
    elif claim is None:
        verdict, why = _control(gain)
    else:
        verdict, why = judge(gain, claim)
    return {
        **_figures(gain),
        "subject": claim.subject if claim else CONTROL,
        "benchmark": benchmark.id,
        "kind_of_gain": "faster",
        "settings": [setting.id for setting in settings],
        "claimed": claimed(claim),
        "verdict": verdict.value,
        "why": why,
        "stock": stock,
        "optimized": optimized,
        "cpu": samples.cpu,
        "load": samples.load,
        "samples": [list(pair) for pair in samples.pairs],
    }


def not_measured(subject: str, settings: Sequence[Setting], why: str) -> Mapping[str, object]:
    """The record of a claim that nothing was measured for, and why."""
    return {
        **_figures(None),
        "subject": subject,
        "benchmark": "",
        "kind_of_gain": "",
        "settings": [setting.id for setting in settings],
        "claimed": claimed(settings[0].claim if settings else None),
        "verdict": Verdict.NO_EVIDENCE.value,
        "why": f"not measured: {why}",
        "stock": "",
        "optimized": "",
        "cpu": "",
        "load": "",
        "samples": [],
    }


def memory(
    subject: str,
    gain: Gain | None,
    *,
    settings: Sequence[Setting],
    before: Sequence[float],
    after: Sequence[float],
) -> Mapping[str, object]:
    """The record of a memory claim; the samples are KB, one a start of the process."""
    claim = settings[0].claim if settings else None
    assert claim is not None
    verdict, why = judge(gain, claim)
    counts = f"{len(before)} before, {len(after)} after"
    if gain is None:
        why = f"not measured: {counts}; take one sample before the first run and one after it"
    return {
        **_figures(gain),
        "subject": subject,
        "benchmark": "memory",
        "kind_of_gain": "smaller",
        "settings": [setting.id for setting in settings],
        "claimed": claimed(claim),
        "verdict": verdict.value,
        "why": f"{why} ({counts})" if gain else why,
        "stock": "",
        "optimized": "",
        "cpu": "",
        "load": "",
        "samples": [list(before), list(after)],
    }


def claimed(claim: Claim | None) -> Mapping[str, object] | None:
    return {"low": claim.low, "high": claim.high, "unit": claim.unit} if claim else None


def _control(gain: Gain | None) -> tuple[Verdict, str]:
    """Stock against itself: whatever is found here is what the machine's noise can do."""
    if gain is None or gain.low is None or gain.high is None:
        return Verdict.NO_EVIDENCE, "too few samples to tell how noisy the machine is"
    if gain.low <= 0 <= gain.high:
        return Verdict.NO_EVIDENCE, "stock against itself shows no difference, as it must"
    return (
        Verdict.WORSE,
        f"stock against itself differs by {gain.spread} %: the machine is too noisy now, "
        "do not believe gains of that size; measure again when it is quiet",
    )


def _figures(gain: Gain | None) -> Mapping[str, object]:
    def number(value: float | None) -> float | None:
        return None if value is None else round(value, 2)

    return {
        "measured": number(gain.value) if gain else None,
        "low": number(gain.low) if gain else None,
        "high": number(gain.high) if gain else None,
        "unit": "%",
        "n": gain.n if gain else 0,
    }


def sentence(record: Mapping[str, object]) -> str:
    """A ``measurement`` record as one line for a person."""
    claim = record["claimed"]
    parts = []
    if isinstance(claim, Mapping):
        parts.append(f"claimed {claim['low']:g} to {claim['high']:g} {claim['unit']}")
    if record["n"]:
        spread = "" if record["low"] is None else f" ({record['low']} to {record['high']})"
        word = record["kind_of_gain"]
        parts.append(f"measured {record['measured']} %{spread} {word}, n = {record['n']}")
    parts.append(f"{record['verdict']}: {record['why']}")
    return "; ".join(parts)
