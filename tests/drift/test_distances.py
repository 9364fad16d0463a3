"""Distances on counts against the exact ones on raw values."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance as spatial

from exporter import registry
from exporter.bins import SPECIAL
from exporter.cli.settings import known
from exporter.comparison import Comparison, Side, even, groups, merged
from exporter.config import ConfigError, loads
from exporter.distances import distance
from exporter.drift.js import js_distance
from exporter.drift.ks import between as ks_between
from exporter.drift.ks import ks_interval, ks_statistic
from exporter.drift.psi import psi
from exporter.drift.wasserstein import between as wasserstein_between
from exporter.drift.wasserstein import wasserstein
from exporter.reference.build import numeric_bins
from exporter.statistics.feature_bins import count_numbers

SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.lists(st.integers(0, 1000), min_size=2, max_size=60)


def arrays(first, second):
    size = min(len(first), len(second))
    one, other = np.array(first[:size], float), np.array(second[:size], float)
    assume(one.any() and other.any())
    return one, other


def sample(rng, size):
    """Values of some shape: smooth, skewed, of few values, or partly at one value."""
    values = [
        rng.normal(rng.normal(), rng.uniform(0.2, 3), size),
        rng.lognormal(0, 1, size),
        rng.integers(0, 15, size) / 4,
        np.where(rng.random(size) < 0.3, 1.0, rng.gamma(2, 1, size)),
    ]
    return values[rng.integers(len(values))]


def counted(values, bins):
    out = np.zeros(bins.size)
    count_numbers(out, values, bins)
    return out[SPECIAL : SPECIAL + bins.bins], out[SPECIAL + bins.bins :]


def pair(seed):
    """Raw values of two sides, their counts and sums in the bins of the first, and the edges."""
    rng = np.random.default_rng(seed)
    known, live = sample(rng, int(rng.integers(20, 2000))), sample(rng, int(rng.integers(1, 800)))
    bins = numeric_bins("x", np.sort(known))
    return known, live, counted(known, bins), counted(live, bins), bins


@given(COUNTS)
def test_nothing_lies_between_equals(counts):
    one, _ = arrays(counts, counts)
    sums, edges = one * 2.5, np.arange(len(one) - 1.0)
    assert psi(one, one) == 0
    assert js_distance(one, 3 * one) == pytest.approx(0, abs=1e-7)
    assert ks_statistic(one, 3 * one) == pytest.approx(0, abs=1e-12)
    assert ks_interval(one, one)[0] == 0
    assert wasserstein(one, 3 * one, sums, 3 * sums, edges) == pytest.approx(0, abs=1e-9)


@given(COUNTS, COUNTS)
def test_symmetric(first, second):
    one, other = arrays(first, second)
    edges = np.arange(len(one) - 1.0)
    assert psi(one, other) == pytest.approx(psi(other, one))
    assert js_distance(one, other) == pytest.approx(js_distance(other, one), abs=1e-7)
    assert ks_statistic(one, other) == pytest.approx(ks_statistic(other, one))
    assert ks_interval(one, other) == pytest.approx(ks_interval(other, one))
    there, back = (
        wasserstein(a, b, a * 2.5, b * 2.5, edges) for a, b in ((one, other), (other, one))
    )
    assert there == pytest.approx(back)


@given(COUNTS, COUNTS)
def test_js_is_scipys(first, second):
    one, other = arrays(first, second)
    assert js_distance(one, other) == pytest.approx(spatial.jensenshannon(one, other, 2), abs=1e-7)
    assert 0 <= js_distance(one, other) <= 1


def test_js_of_strangers_is_one():
    assert js_distance(np.array([3.0, 0]), np.array([0, 5.0])) == 1


@given(COUNTS, COUNTS)
def test_psi_is_its_definition(first, second):
    one, other = arrays(first, second)
    expected = [(a, b) for a, b in zip(one, other, strict=True) if a or b]
    n = sum(b + 0.5 for _, b in expected)
    m = sum(a + 0.5 for a, _ in expected)
    shares = [((b + 0.5) / n, (a + 0.5) / m) for a, b in expected]
    assert psi(one, other) == pytest.approx(sum((p - q) * np.log(p / q) for p, q in shares))
    assert psi(one, other) >= 0


@given(SEEDS)
def test_ks_of_raw_values_lies_in_the_interval(seed):
    known, live, (reference, _), (counts, _), _ = pair(seed)
    low, high = ks_interval(reference, counts)
    assert low - 1e-12 <= stats.ks_2samp(known, live).statistic <= high + 1e-12
    assert low == ks_statistic(reference, counts)


def test_the_interval_of_ks_is_narrow():
    widths = []
    for seed in range(50):
        _, _, (reference, _), (counts, _), _ = pair(seed)
        low, high = ks_interval(reference, counts)
        widths.append(high - low)
    assert np.median(widths) < 0.1


@given(SEEDS)
def test_wasserstein_is_at_most_that_of_raw_values(seed):
    known, live, reference, counts, bins = pair(seed)
    exact = stats.wasserstein_distance(known, live)
    found = wasserstein(reference[0], counts[0], reference[1], counts[1], bins.edges)
    assert found <= exact * (1 + 1e-9) + 1e-9
    assert found >= abs(known.mean() - live.mean()) - 1e-9


@given(SEEDS, st.floats(-50, 50))
def test_wasserstein_of_a_shift_is_the_shift(seed, shift):
    """All of one function lies above the other: then it is exact."""
    rng = np.random.default_rng(seed)
    known = sample(rng, 500)
    bins = numeric_bins("x", np.sort(known))
    reference, live = counted(known, bins), counted(known + shift, bins)
    found = wasserstein(reference[0], live[0], reference[1], live[1], bins.edges)
    assert found == pytest.approx(abs(shift), abs=1e-9)


def test_one_monstrous_value_spoils_only_its_own_bin():
    known = np.random.default_rng(1).normal(0, 1, 1000)
    bins = numeric_bins("x", np.sort(known))
    plain, spoiled = counted(known, bins), counted(np.append(known, -1e300), bins)
    np.testing.assert_allclose(spoiled[1][1:], plain[1][1:])
    assert np.isfinite(spoiled[1]).all()


@example([1, 0, 1], 3)
@given(COUNTS, st.integers(1, 30))
def test_groups_have_about_equal_shares(counts, most):
    reference = np.array(counts, float)
    assume(reference.any())
    starts = groups(reference, even(most))
    parts = np.add.reduceat(reference, starts)
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    assert len(starts) <= most
    assert parts.sum() == reference.sum()
    assert (parts > 0).all()
    assert parts.max() <= reference.sum() / most + reference.max() + 1e-9


@given(COUNTS, st.lists(st.floats(0.01, 0.99), min_size=1, max_size=20, unique=True))
def test_groups_end_about_where_they_should(counts, ends):
    reference, ends = np.array(counts, float), np.sort(ends)
    assume(reference.any())
    shares = np.cumsum(reference) / reference.sum()
    reached = np.unique(shares)
    nearest = np.abs(reached - ends[:, None]).min(axis=1)
    starts = groups(reference, ends)
    found = shares[starts[1:] - 1]
    # Each end is as near as a bin's allows, and nothing else is one.
    inside = np.append(found, [0.0, 1.0])
    assert np.abs(inside - ends[:, None]).min(axis=1) == pytest.approx(
        np.minimum(nearest, np.minimum(ends, 1 - ends))
    )
    assert len(found) <= len(ends)


def test_ten_groups_of_even_bins_are_ten_tenths():
    assert np.add.reduceat(np.ones(50), groups(np.ones(50), even(10))).tolist() == [5.0] * 10


@given(COUNTS, COUNTS, st.booleans(), st.booleans())
def test_merging_loses_no_event(first, second, ordered, tails):
    one, other = arrays([1, *first, 1], [1, *second, 1])
    both = Comparison(Side(one, 3, 2), Side(other, 5, 7), ordered, tails)
    reference, live = merged(both, 10)
    assert len(reference) == len(live)
    assert reference.sum() == both.reference.events
    assert live.sum() == both.live.events
    assert (reference[-1], live[-1]) == (3, 5)
    outside = one[0] + one[-1] if tails else 0
    assert reference[-2] == 2 + outside


def test_no_distance_where_it_has_no_meaning():
    counts = np.array([5.0, 5.0, 5.0])
    categories = Comparison(Side(counts), Side(counts), ordered=False)
    only_missing = Comparison(Side(counts), Side(counts * 0, 9), ordered=True)
    assert ks_between(categories) is None
    assert ks_between(only_missing) is None
    sums, edges = counts * 0, np.array([0.0, 1.0])
    numbers = Side(counts, sums=sums)
    assert wasserstein_between(categories) is None
    assert wasserstein_between(Comparison(numbers, numbers, True, True, edges, 0.0)) is None
    assert wasserstein_between(Comparison(numbers, numbers, True, True, edges, 1.0)) == 0


def test_a_distance_is_one_file(monkeypatch):
    """What is registered can be asked for, and has its families: nothing else names it."""
    monkeypatch.setattr(registry, "METRICS", dict(registry.METRICS))

    @distance("tv", "total_variation", "Total variation distance", of=("feature", "label"))
    def between(both):
        shares = (side.counts / side.counts.sum() for side in (both.reference, both.live))
        return float(np.abs(np.subtract(*shares)).sum() / 2)

    assert {"model_feature_total_variation", "model_label_total_variation"} <= set(registry.METRICS)
    assert loads("drift: {distances: [psi, tv]}", **known()).drift.distances == ("psi", "tv")
    with pytest.raises(ConfigError, match="psi"):
        loads("drift: {distances: [pso]}", **known())
