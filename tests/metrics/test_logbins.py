"""Logarithmic bins and their guarantee."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logbins import LogBins

SHARES = [0.0, 0.25, 0.5, 0.9, 0.99, 1.0]


@given(
    st.sampled_from([0.01, 0.001, 0.1]), st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=100)
)
def test_every_quantile_is_within_the_error(error, values):
    bins = LogBins(1e-6, 1e6, error)
    found = bins.quantiles(bins.counts(np.array(values)), SHARES)
    for share, value in found.items():
        exact = np.quantile(values, float(share), method="lower")
        assert value == pytest.approx(exact, rel=error * (1 + 1e-9))


def test_zeros_and_what_lies_outside():
    bins = LogBins(1e-3, 1e3)
    counts = bins.counts(np.array([0.0, 0.0, 1e-9, 1e9, np.inf]))
    assert counts[0] == 2
    assert counts[1] == 1
    assert counts[-1] == 2
    assert counts.sum() == 5
    assert bins.values[0] == 0
    assert bins.values[-1] == pytest.approx(1e3, rel=0.03)


def test_quantiles_of_nothing():
    bins = LogBins(1e-3, 1e3)
    assert bins.quantiles(bins.counts(np.zeros(0)), SHARES) is None


def test_label_values_are_canonical():
    bins = LogBins(1e-3, 1e3)
    assert list(bins.quantiles(bins.counts(np.ones(3)), (0.5, 0.99, 1.0))) == ["0.5", "0.99", "1.0"]


def test_merging_counts_is_merging_values():
    bins, rng = LogBins(1e-6, 1e6), np.random.default_rng(1)
    a, b = rng.lognormal(0, 3, 100), rng.lognormal(1, 2, 50)
    together = bins.counts(np.concatenate([a, b]))
    np.testing.assert_array_equal(bins.counts(a) + bins.counts(b), together)
