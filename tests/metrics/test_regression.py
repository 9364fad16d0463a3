"""Metrics of regressions beside their scikit-learn twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from exporter.rows import Labels, Predictions
from exporter.schema import Schema
from exporter.start import fitted
from exporter.statistics.moments import recentred
from tests.metrics.build import estimate, regression, show, window

NUMBERS = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=200)
ERRORS = [
    ("mean_absolute_error", sk.mean_absolute_error),
    ("root_mean_squared_error", sk.root_mean_squared_error),
    ("mean_error", lambda y, v: np.mean(v - y)),
]


def columns(pairs):
    truth, value = zip(*pairs, strict=True)
    return np.array(truth), np.array(value)


@pytest.mark.parametrize(("name", "twin"), ERRORS, ids=[one[0] for one in ERRORS])
@given(PAIRS)
def test_errors(name, twin, pairs):
    truth, value = columns(pairs)
    found = show(regression(truth, value), name)
    assert found == pytest.approx(twin(truth, value), rel=1e-9, abs=1e-7)


@given(PAIRS)
def test_percentage_skips_labels_of_zero(pairs):
    truth, value = columns(pairs)
    truth[::3] = 0
    found = show(regression(truth, value, center=0), "mean_absolute_percentage_error_ratio")
    some = truth != 0
    if not some.any():
        assert found is None
        return
    twin = sk.mean_absolute_percentage_error(truth[some], value[some])
    assert found == pytest.approx(twin)


@given(st.integers(0, 2**32 - 1), st.integers(2, 300), st.floats(-3, 3), st.floats(0, 2))
def test_r_squared(seed, size, slope, noise):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=size)
    value = slope * truth + noise * rng.normal(size=size)
    found = show(regression(truth, value), "r_squared")
    assert found == pytest.approx(sk.r2_score(truth, value), abs=1e-6, rel=1e-6)


@pytest.mark.parametrize("mean", [0.0, 1e3, 1e9, -1e9])
def test_far_from_zero(mean):
    rng = np.random.default_rng(7)
    truth = mean + rng.normal(size=5000)
    value = truth + rng.normal(scale=0.3, size=5000)
    window = regression(truth, value)
    twins = [*ERRORS, ("r_squared", sk.r2_score)]
    for name, twin in twins:
        assert show(window, name) == pytest.approx(twin(truth, value), abs=1e-6)
    assert show(window, "prediction_stddev") == pytest.approx(np.std(value), abs=1e-6)
    assert show(window, "prediction_mean") == pytest.approx(np.mean(value), rel=1e-15)


def test_far_from_zero_with_labels_that_come_late():
    """The centre of labels is set before the first of them is known."""
    rng = np.random.default_rng(8)
    truth = 1e9 + rng.normal(size=2000)
    value = truth + rng.normal(scale=0.3, size=2000)
    early = Predictions(1000, value=value[:1000])
    schema = fitted(Schema("regression"), early, None)
    late = window(schema, early, Labels(2000, value=value, truth=truth))
    assert show(late, "r_squared") == pytest.approx(sk.r2_score(truth, value), abs=1e-6)


@pytest.mark.parametrize("truth", [[3.5], [3.5, 3.5, 3.5], [0.1 + 0.2, 0.3, 0.3]])
def test_no_r_squared_of_constant_labels(truth):
    window = regression(truth, np.arange(len(truth)), center=0.0)
    assert show(window, "r_squared") is None or len(set(truth)) > 1
    assert show(window, "mean_absolute_error") == pytest.approx(
        np.mean(np.abs(np.arange(len(truth)) - truth))
    )


def test_no_r_squared_where_rounding_hides_the_variance():
    truth = 1e9 + np.random.default_rng(1).normal(size=100)
    assert show(regression(truth, truth, center=0.0), "r_squared") is None


def test_no_labels():
    window = regression([], [], center=0.0)
    names = [name for name, _ in ERRORS]
    others = ["r_squared", "mean_absolute_percentage_error_ratio", "absolute_error_quantile"]
    for name in [*names, *others, "prediction_mean", "prediction_stddev"]:
        assert show(window, name) is None


@given(st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=300))
def test_quantiles_within_one_per_cent(errors):
    window = regression(np.zeros(len(errors)), errors)
    found = show(window, "absolute_error_quantile")
    assert list(found) == ["0.5", "0.9", "0.99"]
    for quantile, value in found.items():
        exact = np.quantile(errors, float(quantile), method="lower")
        assert value == pytest.approx(exact, rel=0.01 + 1e-9)


def test_errors_of_zero_have_quantile_zero():
    found = show(regression([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 9.0]), "absolute_error_quantile")
    assert found["0.5"] == found["0.9"] == 0


@pytest.mark.parametrize("value", [1e308, -1e308])
def test_monstrous_numbers_stay_finite(value):
    window = regression([-value, 1.0], [value, 2.0], center=1.0)
    for name in ["mean_absolute_error", "root_mean_squared_error", "mean_error", "prediction_mean"]:
        assert np.isfinite(show(window, name))
        assert np.isfinite(show(window, "prediction_stddev"))
    assert np.isfinite(estimate(window, "root_mean_squared_error").interval()).all()
    assert np.isfinite(show(window, "squared_error_total"))
    tiny = regression([5e-324], [1e300], center=0.0)
    assert np.isfinite(show(tiny, "mean_absolute_percentage_error_ratio"))


def test_a_monstrous_centre_stays_finite():
    moved = recentred(np.array([3.0, 1.0, 2.0]), 1e308)
    assert np.isfinite(moved).all()


def test_rows_without_a_number_are_left_out():
    window = regression([1.0, np.nan, 3.0], [2.0, 2.0, np.nan])
    assert show(window, "mean_error") == 1
    assert show(window, "prediction_mean") == 2
    assert window["label_moments"][0] == 1


def test_totals():
    window = regression([1.0, 2.0, 5.0], [2.0, 4.0, 2.0])
    assert show(window, "absolute_error_total") == 6
    assert show(window, "squared_error_total") == 14


@given(PAIRS, st.floats(-1e6, 1e6))
def test_recentring_is_exact(pairs, center):
    """Panes that were summed around one centre serve another."""
    truth, value = columns(pairs)
    before, after = regression(truth, value, 0.0), regression(truth, value, center)
    carried = before.layout.carry(before.vector, after.layout)
    for name in ("label_moments", "output_moments"):
        found = before.layout.view(carried, name)
        scale = max(1.0, np.abs(after[name]).max(), len(pairs) * center * center)
        np.testing.assert_allclose(found, after[name], atol=1e-12 * scale)
