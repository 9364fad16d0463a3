"""Laws of use over windows: what the quantiles of any samples are, and what leaves a window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import WindowSpec
from exporter.logbins import LogBins
from exporter.usage import SHARES, Usage

BINS = LogBins(1e-3, 1e4)
WINDOWS = (WindowSpec("5m", 300.0), WindowSpec("1h", 3600.0))
samples = st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e4)), min_size=1, max_size=200)


@given(samples)
def test_quantiles_are_those_of_the_samples_within_one_per_cent(values):
    usage = Usage(BINS, WINDOWS, 0.0)
    for second, value in enumerate(values):
        usage.add(value, float(second))
    found = usage.quantiles(float(len(values)))
    exact = np.quantile(values, SHARES, method="lower")
    for window in WINDOWS:
        assert list(found[window.name]) == ["0.5", "0.95", "1.0"]
        assert list(found[window.name].values()) == pytest.approx(exact, rel=0.0101)


def test_the_highest_is_the_highest_of_the_window_and_leaves_with_it():
    usage = Usage(BINS, WINDOWS, 0.0)
    for second in range(600):
        usage.add(40.0 if second == 100 else 1.0, float(second))
        if 100 <= second < 400:
            assert usage.quantiles(float(second))["5m"]["1.0"] == pytest.approx(40, rel=0.01)
    assert usage.quantiles(600.0)["5m"]["1.0"] == pytest.approx(1, rel=0.01)
    assert usage.quantiles(600.0)["1h"]["1.0"] == pytest.approx(40, rel=0.01)


def test_a_window_without_samples_has_no_quantiles():
    usage = Usage(BINS, WINDOWS, 0.0)
    assert usage.quantiles(0.0) == {}
    usage.add(1.0, 0.0)
    assert list(usage.quantiles(400.0)) == ["1h"]
    assert usage.quantiles(4000.0) == {}


def test_windows_over_labels_are_left_out():
    usage = Usage(BINS, (*WINDOWS, WindowSpec("100 labels", None, 100)), 0.0)
    usage.add(1.0, 0.0)
    assert list(usage.quantiles(1.0)) == ["5m", "1h"]
