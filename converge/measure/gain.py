"""Statistics of a measurement: samples go in, a gain with its interval and a verdict come out.

The distribution of run times is not known and has a long tail, so nothing here assumes a normal
one, and nothing is random: the same samples give the same answer. Both estimates are those of
Hodges and Lehmann (1963), their intervals are exact.

  paired     stock and optimized, one right after the other: the median of all pairwise means of the
             log ratios, with the interval of the Wilcoxon signed-rank test
  unpaired   memory before and after: the median of all log ratios between the two groups, with the
             interval of the Mann-Whitney test

The level is 99 %, not 95: a run makes about a dozen comparisons, and at 95 % every second run would
find a difference where there is none. The smallest numbers that allow it are 8 pairs, or 5 and 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from converge.setting import Claim

CONFIDENCE = 0.99
FEWEST_PAIRS = 8
FEWEST_EACH = 5


class ClaimVerdict(StrEnum):
    """What the samples say of a claim. Each but the second is carried by the whole interval."""

    MET = "met"
    NO_EVIDENCE = "no evidence"
    BELOW = "below"
    WORSE = "worse"


@dataclass(frozen=True, kw_only=True)
class Gain:
    """A gain in percent, more is better; ``low`` and ``high`` are None when ``n`` is too small."""

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
    """How much less than before, in percent. ``n`` of the result is that of the smaller group."""
    first, second = ([math.log(x) for x in group if x > 0] for group in (before, after))
    if not first or not second:
        return None
    shifts = sorted(x - y for x in first for y in second)
    rank = _rank(_rank_sum(len(first), len(second)))
    fewest = min(len(first), len(second))
    return _gain(shifts, rank, fewest, percent=lambda log: (1 - math.exp(-log)) * 100)


def judge(gain: Gain | None, claim: Claim) -> tuple[ClaimVerdict, str]:
    """The verdict on a claim, and the sentence that explains it.

    ``low`` of the claim is what decides; a gain above its ``high`` meets it all the same.
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
    """The median, 0 of nothing."""
    return median(values) if values else 0.0


def _gain(
    ordered: Sequence[float], rank: int, n: int, *, percent: Callable[[float], float]
) -> Gain:
    value = percent(median(ordered))
    if rank == 0:
        return Gain(value=value, low=None, high=None, n=n)
    return Gain(value=value, low=percent(ordered[rank - 1]), high=percent(ordered[-rank]), n=n)


def _rank(counts: Sequence[int]) -> int:
    """Which of the ordered estimates, from either end, bounds the interval; 0: none can.

    ``counts``: in how many equally likely cases the test statistic takes the value of the index.
    """
    total, tail = sum(counts), 0
    for rank, count in enumerate(counts):
        tail += count
        if tail / total > (1 - CONFIDENCE) / 2:
            return rank
    return 0


def _signed_rank(n: int) -> list[int]:
    """Of all 2**n choices of signs: how many have which sum of positive ranks."""
    counts = [1]
    for rank in range(1, n + 1):
        counts = _add(counts, [0] * rank + counts)
    return counts


def _rank_sum(m: int, n: int) -> list[int]:
    """Of all orders of two groups: in how many the one is ahead of the other how often."""
    # ways[i][j]: counts for groups of i and j; the largest of all belongs to the one or the other.
    ways = [[[1] for _ in range(n + 1)] for _ in range(m + 1)]
    for i in range(1, m + 1):
        for j in range(1, n + 1):
            ways[i][j] = _add([0] * j + ways[i - 1][j], ways[i][j - 1])
    return ways[m][n]


def _add(first: Sequence[int], second: Sequence[int]) -> list[int]:
    size = max(len(first), len(second))
    padded = ([*one, *([0] * (size - len(one)))] for one in (first, second))
    return [x + y for x, y in zip(*padded, strict=True)]
