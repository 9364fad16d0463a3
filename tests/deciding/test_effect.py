"""Effects, limits and tails against SciPy, and what merging is for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from exporter.drift.effect import EXPECTED, Pair, effects, merged
from exporter.drift.noncentral import upper_quantiles
from exporter.drift.quality import accountable, tails

COUNTS = st.lists(st.integers(0, 5000), min_size=2, max_size=30).map(lambda c: np.array(c, float))


def grouped(counts, codes):
    return np.bincount(codes, counts)


@given(st.data(), COUNTS, st.booleans())
def test_statistic_is_that_of_a_contingency_table(data, known, ordered):
    live = np.array(
        data.draw(st.lists(st.integers(0, 500), min_size=len(known), max_size=len(known)))
    )
    n, m = live.sum(), known.sum()
    if not n or not m:
        return
    (found,) = effects([Pair(live.astype(float), known, ordered)]).statistic
    codes = merged(known * n / m, ordered)
    table = np.stack([grouped(live, codes), grouped(known, codes)])
    table = table[:, table.sum(axis=0) > 0]
    wanted = stats.chi2_contingency(table, correction=False).statistic if table.shape[1] > 1 else 0
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@given(COUNTS, st.integers(200, 100_000), st.booleans())
def test_every_group_that_is_left_is_heavy(known, n, ordered):
    if not known.any():
        return
    mass = known * n / known.sum()
    groups = np.bincount(merged(mass, ordered), mass)
    assert (groups >= EXPECTED - 1e-9).all()
    if ordered:
        assert (np.diff(merged(mass, ordered)) >= 0).all()


def test_heavy_bins_stay_as_they_are():
    mass = np.array([50.0, 10, 30, 10])
    assert merged(mass, True).tolist() == [0, 1, 2, 3]
    assert sorted(merged(mass, False).tolist()) == [0, 1, 2, 3]


def test_light_categories_are_one_rest_and_neighbours_stay_neighbours():
    mass = np.array([50.0, 4, 30, 7, 2])
    assert merged(mass, False).tolist() == [0, 2, 1, 2, 2]
    assert merged(mass, True).tolist() == [0, 1, 1, 1, 1]
    assert merged(np.array([50.0, 4, 30, 2]), False).tolist() == [0, 1, 1, 1]


def test_one_event_in_a_bin_that_the_reference_does_not_know_decides_nothing():
    known = np.array([5000.0, 5000, 0])
    (found,) = effects([Pair(np.array([500.0, 499, 1]), known, False)]).effect
    assert found < 0.001


@given(COUNTS, st.integers(1, 9))
def test_equal_shares_have_no_effect(known, times):
    if known.any():
        (found,) = effects([Pair(known * times, known, True)]).effect
        assert found == pytest.approx(0, abs=1e-12)


@given(st.lists(st.integers(0, 5000), min_size=2, max_size=30, unique=True))
def test_neither_order_nor_company_matters(different):
    known = np.array(different, float)
    live = known[::-1].copy()
    alone = effects([Pair(live, known, False)])
    other = Pair(np.array([3.0, 4]), np.array([5.0, 6]), True)
    places = np.random.default_rng(1).permutation(len(known))
    among = effects([other, Pair(live[places], known[places], False), other])
    assert among.statistic[1] == pytest.approx(alone.statistic[0], rel=1e-9, abs=1e-9)
    assert among.bins[1] == alone.bins[0]


def test_excess_has_mean_0_without_drift():
    rng = np.random.default_rng(1)
    shares = np.array([0.3, 0.3, 0.2, 0.1, 0.1])
    known = rng.multinomial(100_000, shares).astype(float)
    pairs = [Pair(rng.multinomial(500, shares).astype(float), known, True) for _ in range(2000)]
    found = effects(pairs)
    excess = found.effect - found.chance
    assert abs(excess.mean()) < 4 * excess.std() / np.sqrt(2000)


@pytest.mark.parametrize("df", [1, 2, 9, 49, 300])
@pytest.mark.parametrize("alpha", [1e-4, 1e-6, 1e-9, 1e-12])
def test_limits_are_quantiles_of_the_noncentral_distribution(df, alpha):
    nc = np.array([1.0, 4, 20, 300, 5000, 1e5])
    found = upper_quantiles(alpha, df, nc)
    exact = stats.ncx2.isf(alpha, df, nc)
    assert found == pytest.approx(exact, rel=4e-3)
    assert stats.ncx2.sf(found, df, nc) == pytest.approx(alpha, rel=0.04)
    assert (stats.ncx2.sf(found, df, nc) <= alpha * 1.005).all()


def test_without_noncentrality_the_limit_is_the_central_one():
    assert upper_quantiles(1e-9, 9, 0.0) == pytest.approx(stats.chi2.isf(1e-9, 9), rel=1e-9)
    both = upper_quantiles(1e-9, np.array([9, 9]), np.array([0.0, 5.0]))
    assert both == pytest.approx([stats.chi2.isf(1e-9, 9), stats.ncx2.isf(1e-9, 9, 5)], rel=1e-3)


def test_tails_are_exact():
    events, n = np.array([0, 3, 40, 500]), np.array([200, 1000, 1000, 10**6])
    share = np.array([0.01, 0.01, 0.02, 0.0003])
    assert tails(events, n, share) == pytest.approx(stats.binom.sf(events - 1, n, share), rel=1e-9)


def test_what_a_reference_accounts_for():
    wanted = stats.binomtest(30, 10_000, alternative="two-sided").proportion_ci(
        confidence_level=1 - 2 * stats.norm.sf(3.719), method="wilson"
    )
    assert accountable(30, 10_000) == pytest.approx(wanted.high + 0.01, rel=1e-9)
    assert accountable(0, 0) == 1
