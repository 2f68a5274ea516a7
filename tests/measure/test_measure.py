"""The statistics find planted gains, and find none where none was planted."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from converge.measure import gain as measure
from converge.measure.gain import ClaimVerdict, Gain, faster, judge, smaller
from converge.setting import Claim, Setting
from converge.subjects.settings import ALL

CLAIM = Claim(subject="something", low=15, high=30)
#: The smallest numbers of samples that allow a verdict at the level of 99 %.
FEWEST_PAIRS, FEWEST_EACH = 8, 5


def pairs(
    gain: float, *, n: int = 20, noise: float = 0.02, seed: int = 1
) -> list[tuple[float, float]]:
    """Samples of a program that is ``gain`` percent faster: noise, and at times a long pause."""
    chance = random.Random(seed)

    def one(seconds: float) -> float:
        pause = chance.expovariate(4) if chance.random() < 0.05 else 0.0
        return seconds * chance.lognormvariate(0, noise) + pause

    return [(one(1.0), one(1 / (1 + gain / 100))) for _ in range(n)]


def verdict(gain: float, **how: float) -> ClaimVerdict:
    return judge(faster(pairs(gain, **how)), CLAIM)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        (25, ClaimVerdict.MET),
        (60, ClaimVerdict.MET),  # more than was claimed
        (6, ClaimVerdict.BELOW),
        (-8, ClaimVerdict.WORSE),
    ],
)
def test_a_planted_gain_gets_its_verdict(gain: float, expected: ClaimVerdict) -> None:
    found = Counter(verdict(gain, n=30, seed=seed) for seed in range(100))
    assert found[expected] >= 95, found
    assert not found.keys() - {expected, ClaimVerdict.NO_EVIDENCE}, (
        "a wrong verdict, not just a weak one"
    )


def test_a_gain_of_nothing_is_hardly_ever_called_one() -> None:
    found = Counter(verdict(0, seed=seed) for seed in range(400))
    assert found[ClaimVerdict.NO_EVIDENCE] >= 392  # the level is 99 %: about 4 of 400 may be wrong
    assert found[ClaimVerdict.MET] == 0


def test_a_gain_at_the_border_of_the_claim_is_neither_met_nor_below() -> None:
    found = Counter(verdict(15, seed=seed) for seed in range(200))
    assert found[ClaimVerdict.NO_EVIDENCE] >= 194
    gain = faster(pairs(15))
    assert "both sides of 15 %" in judge(gain, CLAIM)[1]


def test_the_interval_holds_the_planted_gain_as_often_as_it_says() -> None:
    held = 0
    for seed in range(400):
        gain = faster(pairs(10, seed=seed))
        assert gain is not None and gain.low is not None and gain.high is not None
        assert gain.low <= gain.value <= gain.high
        held += gain.low <= 10 <= gain.high
    assert held >= 390


def test_one_long_pause_changes_no_verdict() -> None:
    calm = pairs(25, noise=0.01)
    disturbed = [*calm[:-1], (calm[-1][0], calm[-1][1] * 50)]
    assert judge(faster(disturbed), CLAIM)[0] is ClaimVerdict.MET
    assert judge(faster([(1.0, 1.0)] * 19 + [(40.0, 1.0)]), CLAIM)[0] is ClaimVerdict.NO_EVIDENCE


def test_stock_and_optimized_are_not_mixed_up() -> None:
    gain = faster([(4.0, 2.0)] * 10)
    assert gain == Gain(
        value=pytest.approx(100), low=pytest.approx(100), high=pytest.approx(100), n=10
    )
    slower = faster([(2.0, 4.0)] * 10)
    assert slower is not None and slower.value == pytest.approx(-50)
    less = smaller([200.0] * 5, [150.0] * 5)
    assert less is not None and less.value == pytest.approx(25)


@pytest.mark.parametrize("n", range(1, FEWEST_PAIRS))
def test_too_few_pairs_prove_nothing_however_clear_they_look(n: int) -> None:
    gain = faster([(10.0, 1.0)] * n)
    assert gain is not None and (gain.low, gain.high) == (None, None)
    assert judge(gain, CLAIM) == (
        ClaimVerdict.NO_EVIDENCE,
        f"too few samples to tell anything (n = {n})",
    )


def test_the_fewest_that_prove_something_are_the_documented_ones() -> None:
    assert judge(faster([(10.0, 1.0)] * FEWEST_PAIRS), CLAIM)[0] is ClaimVerdict.MET
    few = FEWEST_EACH
    assert judge(smaller([200.0] * few, [100.0] * few), CLAIM)[0] is ClaimVerdict.MET
    assert judge(smaller([200.0] * few, [100.0] * (few - 1)), CLAIM)[0] is ClaimVerdict.NO_EVIDENCE


def test_nothing_usable_is_no_evidence() -> None:
    assert faster([]) is None
    assert faster([(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0)]) is None
    assert smaller([], [1.0]) is None
    assert judge(None, CLAIM)[0] is ClaimVerdict.NO_EVIDENCE


@pytest.mark.parametrize("n", range(1, 8))
def test_the_signed_rank_distribution_is_that_of_all_signs(n: int) -> None:
    sums = Counter(
        sum(rank for rank, sign in zip(range(1, n + 1), signs, strict=True) if sign)
        for signs in itertools.product((0, 1), repeat=n)
    )
    assert measure._signed_rank(n) == [sums[total] for total in range(n * (n + 1) // 2 + 1)]


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 3), (3, 3), (4, 2), (5, 4)])
def test_the_rank_sum_distribution_is_that_of_all_orders(m: int, n: int) -> None:
    wins = Counter(
        sum(sum(place > other for other in range(m + n) if other not in chosen) for place in chosen)
        for chosen in itertools.combinations(range(m + n), m)
    )
    assert measure._rank_sum(m, n) == [wins[number] for number in range(m * n + 1)]


@pytest.mark.parametrize(
    ("n", "critical"), [(8, 0), (10, 3), (15, 15), (20, 37), (25, 68), (30, 109)]
)
def test_the_bounds_are_the_critical_values_of_printed_tables(n: int, critical: int) -> None:
    """Wilcoxon's signed-rank test, two-sided, 1 %."""
    assert measure._rank(measure._signed_rank(n)) == critical + 1


@pytest.mark.parametrize(("n", "critical"), [(5, 0), (6, 2), (8, 7), (10, 16)])
def test_the_same_for_two_groups(n: int, critical: int) -> None:
    """Mann-Whitney's U test, two-sided, 1 %."""
    assert measure._rank(measure._rank_sum(n, n)) == critical + 1


def test_every_claim_of_the_plan_is_measured_or_says_why_not() -> None:
    from converge.measure import benchmarks as rows

    claims = rows.subjects(ALL)
    assert claims
    silent = [subject for subject in claims if rows.why_not(subject) == "no benchmark for it yet"]
    assert silent == []
    subjects = {benchmark.subject for benchmark in rows.BENCHMARKS} | set(rows.NOT_MEASURED)
    assert subjects <= set(claims), "a benchmark for a claim that no setting makes"
    assert len({benchmark.id for benchmark in rows.BENCHMARKS}) == len(rows.BENCHMARKS)


def test_settings_with_the_same_claim_are_measured_once() -> None:
    from converge.measure import benchmarks as rows

    first = next(setting for setting in ALL if setting.claim)
    assert first.claim is not None
    twin: tuple[Setting, ...] = (first, first)
    assert rows.subjects(twin) == {first.claim.subject: twin}
