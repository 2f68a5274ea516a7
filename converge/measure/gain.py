"""Statistics of a measurement. In: samples. Out: a gain with its interval, and a verdict.

The distribution of run times is not known and has a long tail, so no normal distribution is
assumed. Nothing is random: equal samples give equal answers. Both estimates are those of Hodges and
Lehmann (1963); their intervals are exact.

  paired     stock and optimized, one right after the other: the median of all pairwise means of the
             log ratios, with the interval of the Wilcoxon signed-rank test
  unpaired   memory before and after: the median of all log ratios between the two groups, with the
             interval of the Mann-Whitney test

The level is 99 %: a run makes about a dozen comparisons, so at 95 % every second run would find a
difference that does not exist. This level needs at least 8 pairs, or 5 samples in both groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from converge.setting import Claim

CONFIDENCE = 0.99


class ClaimVerdict(StrEnum):
    """What the samples say of a claim. Each verdict but "no evidence" holds for the whole
    interval."""

    MET = "met"
    NO_EVIDENCE = "no evidence"
    BELOW = "below"
    WORSE = "worse"


@dataclass(frozen=True, kw_only=True)
class Gain:
    """A gain in percent, more is better. ``low``, ``high``: its interval; None: ``n`` is too
    small."""

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def spread(self) -> str:
        """The interval for a person, such as ``-0.4 to 2.1``."""
        return "" if self.low is None or self.high is None else f"{self.low:.1f} to {self.high:.1f}"


def faster(pairs: Iterable[tuple[float, float]]) -> Gain | None:
    """How much faster than stock, in percent: 25 means five runs in the time of four.

    ``pairs``: seconds of stock and of optimized for the same work. None without a usable pair.
    """
    ratios = [math.log(a / b) for a, b in pairs if a > 0 and b > 0]
    if not ratios:
        return None
    means = sorted((x + y) / 2 for i, x in enumerate(ratios) for y in ratios[i:])
    rank = _rank(_signed_rank(len(ratios)))
    return _gain(means, rank, len(ratios), percent=lambda log: (math.exp(log) - 1) * 100)


def smaller(before: Sequence[float], after: Sequence[float]) -> Gain | None:
    """How much less than before, in percent; None where a group is empty. ``n`` of the result is
    the size of the smaller group."""
    first, second = ([math.log(x) for x in group if x > 0] for group in (before, after))
    if not first or not second:
        return None
    shifts = sorted(x - y for x in first for y in second)
    rank = _rank(_rank_sum(len(first), len(second)))
    fewest = min(len(first), len(second))
    return _gain(shifts, rank, fewest, percent=lambda log: (1 - math.exp(-log)) * 100)


def judge(gain: Gain | None, claim: Claim) -> tuple[ClaimVerdict, str]:
    """The verdict on a claim, and the sentence that explains it.

    The claim's ``low`` decides; a gain above the claim's ``high`` meets the claim too.
    """
    if gain is None:
        return ClaimVerdict.NO_EVIDENCE, "nothing was measured"
    if gain.low is None or gain.high is None:
        return ClaimVerdict.NO_EVIDENCE, f"too few samples to tell anything (n = {gain.n})"
    claimed = f"{claim.low:g} {claim.unit}"
    if gain.high < 0:
        return ClaimVerdict.WORSE, f"the whole interval lies below 0 {claim.unit}"
    if gain.low <= 0:
        return (
            ClaimVerdict.NO_EVIDENCE,
            f"the interval holds 0 {claim.unit}: perhaps no gain at all",
        )
    if gain.low >= claim.low:
        return ClaimVerdict.MET, f"the whole interval lies at or above {claimed}"
    if gain.high < claim.low:
        return ClaimVerdict.BELOW, f"a gain, but the whole interval lies below {claimed}"
    return (
        ClaimVerdict.NO_EVIDENCE,
        f"a gain, but the interval holds both sides of {claimed}: more rounds may decide",
    )


def middle(values: Sequence[float]) -> float:
    """The median; 0 without values."""
    return median(values) if values else 0.0


def _gain(
    ordered: Sequence[float], rank: int, n: int, *, percent: Callable[[float], float]
) -> Gain:
    value = percent(median(ordered))
    if rank == 0:
        return Gain(value=value, low=None, high=None, n=n)
    return Gain(value=value, low=percent(ordered[rank - 1]), high=percent(ordered[-rank]), n=n)


def _rank(counts: Sequence[int]) -> int:
    """The rank, from either end, of the ordered estimates that bound the interval; 0: too few.

    ``counts``: in how many equally likely cases the test statistic takes the value of the index.
    """
    total, tail = sum(counts), 0
    for rank, count in enumerate(counts):
        tail += count
        if tail / total > (1 - CONFIDENCE) / 2:
            return rank
    return 0


def _signed_rank(n: int) -> list[int]:
    """For each sum of positive ranks (the index), how many of the 2**n choices of signs have it."""
    counts = [1]
    for rank in range(1, n + 1):
        counts = _add(counts, [0] * rank + counts)
    return counts


def _rank_sum(m: int, n: int) -> list[int]:
    """For each value of the Mann-Whitney statistic (the index), how many orders of two groups of
    ``m`` and ``n`` samples have it."""
    # ways[i][j]: the counts for groups of i and j; the largest sample is in one of the two groups.
    ways = [[[1] for _ in range(n + 1)] for _ in range(m + 1)]
    for i in range(1, m + 1):
        for j in range(1, n + 1):
            ways[i][j] = _add([0] * j + ways[i - 1][j], ways[i][j - 1])
    return ways[m][n]


def _add(first: Sequence[int], second: Sequence[int]) -> list[int]:
    size = max(len(first), len(second))
    padded = ([*one, *([0] * (size - len(one)))] for one in (first, second))
    return [x + y for x, y in zip(*padded, strict=True)]
