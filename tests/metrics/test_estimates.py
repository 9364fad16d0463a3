"""Intervals and tails beside SciPy's, and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from exporter.estimates import FScore, Mean, Normal, Proportion, RootMean, jaccard

COUNTS = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SHARES = st.floats(0.001, 0.999)
NUMBERS = st.lists(st.floats(-100, 100), min_size=2, max_size=100)
BOUNDS = st.sampled_from(["min", "max"])


@given(COUNTS)
def test_wilson(counts):
    successes, n = counts
    found = Proportion(successes, n).interval()
    twin = stats.binomtest(successes, n).proportion_ci(0.95, "wilson")
    assert found == pytest.approx((twin.low, twin.high), abs=1e-12)


@given(COUNTS, SHARES, BOUNDS)
def test_binomial_tail(counts, limit, bound):
    successes, n = counts
    side = "less" if bound == "min" else "greater"
    twin = stats.binomtest(successes, n, limit, alternative=side).pvalue
    assert Proportion(successes, n).tail(limit, bound) == pytest.approx(twin, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize(
    ("successes", "limit", "bound", "tail"),
    [
        (0, 0.0, "min", 1), (5, 0.0, "min", 1), (0, 0.0, "max", 1), (1, 0.0, "max", 0),
        (9, 1.0, "min", 0), (10, 1.0, "min", 1), (10, 1.0, "max", 1), (9, 1.0, "max", 1),
        (9, 1.5, "min", 0), (1, -0.5, "max", 0),
    ],
)  # fmt: skip
def test_tails_at_certain_limits(successes, limit, bound, tail):
    assert Proportion(successes, 10).tail(limit, bound) == tail


def test_proportion_of_nothing():
    nothing = Proportion(0, 0)
    assert nothing.value is None
    assert nothing.interval() is None
    assert nothing.tail(0.5, "min") is None
    assert not nothing.decidable(0.5, "min", 0.1)


@given(st.integers(1, 2000), SHARES, BOUNDS, st.floats(1e-12, 0.1))
def test_decidable_where_the_extreme_outcome_would_alarm(n, limit, bound, alpha):
    extreme = 0 if bound == "min" else n
    twin = (1 - limit) ** n if bound == "min" else limit**n
    assume(not math.isclose(twin, alpha, rel_tol=1e-6))
    assert Proportion(n // 2, n).decidable(limit, bound, alpha) == (twin < alpha)
    assert (Proportion(extreme, n).tail(limit, bound) < alpha) == (twin < alpha)


@given(COUNTS)
def test_f1(counts):
    tp, n = counts
    found = FScore(tp, n)
    assert found.value == pytest.approx(2 * tp / (2 * tp + (n - tp)))
    low, high = Proportion(tp, n).interval()
    assert found.interval() == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))
    assert found.interval()[0] <= found.value + 1e-12
    assert found.value <= found.interval()[1] + 1e-12


@given(COUNTS, SHARES, BOUNDS)
def test_tail_of_f1_is_of_its_jaccard_index(counts, limit, bound):
    tp, n = counts
    index = limit / (2 - limit)
    assert 2 * index / (1 + index) == pytest.approx(limit)
    assert FScore(tp, n).tail(limit, bound) == Proportion(tp, n).tail(index, bound)
    same = Proportion(tp, n).decidable(index, bound, 1e-6)
    assert FScore(tp, n).decidable(limit, bound, 1e-6) == same


def test_f1_of_nothing():
    nothing = FScore(0, 0)
    assert (nothing.value, nothing.interval(), nothing.tail(0.5, "min")) == (None, None, None)
    assert jaccard(1.0) == 1
    assert jaccard(5.0) == 1


def mean(numbers):
    numbers = np.asarray(numbers)
    return Mean(len(numbers), float(numbers.sum()), float(numbers @ numbers))


@given(NUMBERS)
def test_t_interval(numbers):
    assume(np.std(numbers) > 1e-3)
    found = mean(numbers)
    error = stats.sem(numbers)
    twin = stats.t.interval(0.95, len(numbers) - 1, np.mean(numbers), error)
    assert found.value == pytest.approx(np.mean(numbers), abs=1e-9)
    assert found.interval() == pytest.approx(twin, rel=1e-6, abs=1e-6)


@given(NUMBERS, st.floats(-100, 100))
def test_normal_tail(numbers, limit):
    assume(np.std(numbers) > 1e-3)
    place = (np.mean(numbers) - limit) / stats.sem(numbers)
    found = mean(numbers)
    assert found.tail(limit, "min") == pytest.approx(stats.norm.cdf(place), rel=1e-4, abs=1e-12)
    assert found.tail(limit, "max") == pytest.approx(stats.norm.sf(place), rel=1e-4, abs=1e-12)


def test_equal_numbers_leave_no_doubt_but_rounding():
    found = mean([0.1] * 500)
    assert found.interval() == pytest.approx((0.1, 0.1), abs=1e-6)
    assert found.tail(0.1, "min") > 0.4
    assert found.tail(0.2, "min") < 1e-9
    assert found.tail(0.2, "max") > 1 - 1e-9
    assert mean([0.0] * 300).tail(0.0, "max") == 1
    assert mean([0.0] * 300).tail(0.1, "min") == 0


def test_few_numbers():
    assert mean([]).value is None
    assert mean([]).tail(1, "min") is None
    assert mean([3.0]).value == 3
    assert mean([3.0]).interval() is None
    assert not mean(range(199)).decidable(0, "min", 0.1)
    assert mean(range(200)).decidable(0, "min", 0.1)


@given(NUMBERS)
def test_root_mean(numbers):
    assume(np.std(np.square(numbers)) > 1e-3)
    square = np.square(numbers)
    found = RootMean(len(numbers), square.sum(), (square**2).sum())
    low, high = mean(square).interval()
    assert found.value == pytest.approx(np.sqrt(square.mean()))
    assert found.interval() == pytest.approx((math.sqrt(max(low, 0)), math.sqrt(high)))
    assert found.tail(7.0, "min") == pytest.approx(mean(square).tail(49.0, "min"))
    assert found.tail(-7.0, "max") == pytest.approx(mean(square).tail(0.0, "max"))
    assert found.decidable(7.0, "min", 0.1) == (len(numbers) >= 200)


def test_a_limit_beyond_all_numbers():
    assert RootMean(300, 300.0, 400.0).tail(1e200, "min") == 0
    assert RootMean(300, 300.0, 400.0).tail(1e200, "max") == 1


def test_root_mean_of_nothing():
    nothing = RootMean(0, 0.0, 0.0)
    assert (nothing.value, nothing.interval(), nothing.tail(1.0, "max")) == (None, None, None)


def test_slack_works_against_an_alarm():
    exact, coarse = Normal(0.85, 0.01, 1000, 400), Normal(0.85, 0.01, 1000, 400, 0.02)
    for limit, bound in ((0.9, "min"), (0.8, "max")):
        assert exact.tail(limit, bound) == pytest.approx(stats.norm.cdf(-5))
        assert coarse.tail(limit, bound) == pytest.approx(stats.norm.cdf(-3))


def test_normal_interval_stays_inside():
    assert Normal(0.99, 0.01, 100, 50).interval() == (pytest.approx(0.99 - 0.0196, abs=1e-5), 1.0)
    assert Normal(0.5, 0.01, 100, 50).interval() == pytest.approx((0.4804, 0.5196), abs=1e-5)
    assert Normal(1.0, 0.0, 100, 50).interval() is None
    assert Normal(0.7, 0.1, 100, 1).interval() is None


@pytest.mark.parametrize(
    ("n", "rarer", "decidable"), [(199, 90, False), (200, 30, True), (5000, 29, False)]
)
def test_normal_needs_both_classes(n, rarer, decidable):
    assert Normal(0.7, 0.1, n, rarer).decidable(0.9, "min", 1e-6) == decidable


def test_a_perfect_ranking_is_not_without_doubt():
    """DeLong's error is 0 there; half an observation of the rarer class is not."""
    perfect = Normal(1.0, 0.0, 1000, 50)
    assert perfect.tail(0.995, "max") == pytest.approx(stats.norm.cdf(-0.5))
    assert perfect.tail(0.9, "min") == pytest.approx(1.0)


@pytest.mark.parametrize(("limit", "bound"), [(0.9, "min"), (0.9, "max"), (0.05, "min")])
def test_false_alarms_are_as_rare_as_stated(limit, bound):
    """At the limit itself an exact tail under alpha is at most as likely as alpha."""
    n = 300
    outcomes = np.arange(n + 1)
    tails = np.array([Proportion(int(k), n).tail(limit, bound) for k in outcomes])
    for alpha in (0.05, 1e-3, 1e-6):
        alarms = stats.binom.pmf(outcomes[tails < alpha], n, limit).sum()
        assert alarms <= alpha
        assert tails.min() < alpha
