"""The area under the ROC curve from histograms: its bound, and DeLong's error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from exporter.edges import score_edges
from tests.metrics.build import binary, estimate, show

SEEDS = st.integers(0, 2**32 - 1)


def delong(label, score):
    """DeLong's standard error from the raw data, pair by pair."""
    positive, negative = score[label == 1], score[label == 0]
    kernel = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    placed, displaced = kernel.mean(axis=1), kernel.mean(axis=0)
    variance = placed.var(ddof=1) / len(positive) + displaced.var(ddof=1) / len(negative)
    return np.sqrt(variance)


def events(rng, size, separation, base=0.4):
    label = (rng.random(size) < base).astype(int)
    label[:2] = 0, 1
    score = 1 / (1 + np.exp(-(rng.normal(size=size) + separation * (label - 0.5))))
    return label, score


def inside(label, score, edges=None):
    window = binary(label, score, edges=edges)
    error = abs(show(window, "roc_auc_ratio") - sk.roc_auc_score(label, score))
    return error <= show(window, "roc_auc_error_bound") + 1e-12


@given(SEEDS, st.integers(2, 500), st.floats(0, 5), st.floats(0.0, 0.999), st.integers(-12, 0))
def test_bound_holds_wherever_scores_crowd(seed, size, separation, low, width):
    rng = np.random.default_rng(seed)
    label, score = events(rng, size, separation)
    crowded = np.clip(low + score * 10.0**width, 0, 1)
    assert inside(label, crowded)
    foreign = score_edges(rng.beta(2, 9, 1000), 0.5)  # edges of another time
    assert inside(label, crowded, foreign)


@pytest.mark.parametrize("size", [2000, 20000])
@pytest.mark.parametrize(("low", "high"), [(0.5, 0.501), (0, 1e-9), (1 - 1e-9, 1), (0.2, 0.8)])
def test_edges_fit_a_narrow_band(size, low, high):
    rng = np.random.default_rng(3)
    label, score = events(rng, size, 1.0)
    score = low + (high - low) * score
    edges = score_edges(score[:1000], 0.5)
    window = binary(label, score, edges=edges)
    assert show(window, "roc_auc_error_bound") <= 0.01
    assert inside(label, score, edges)


def test_bound_says_so_when_scores_leave_the_edges():
    rng = np.random.default_rng(4)
    label, score = events(rng, 5000, 1.0)
    before = score_edges(0.1 * score, 0.5)
    away = binary(label, 0.5 + score / 1000, edges=before)
    assert show(away, "roc_auc_error_bound") > 0.01


@pytest.mark.parametrize(
    ("size", "separation", "decimals"),
    [(500, 1.0, 9), (5000, 3.0, 9), (3000, 1.5, 1), (3000, 0, 2)],
)
def test_standard_error_is_delongs(size, separation, decimals):
    label, score = events(np.random.default_rng(size), size, separation)
    score = np.round(score, decimals)
    found = estimate(binary(label, score), "roc_auc_ratio")
    assert found.error == pytest.approx(delong(label, score), rel=0.01)
    assert found.rarer == min(label.sum(), size - label.sum())
    assert found.n == size


@pytest.mark.parametrize("edges", [[0.5], [0.2, 0.4, 0.6, 0.8]])
def test_wide_bins_hide_no_variance(edges):
    """What spread is lost inside a bin is put back; without it the error is up to 13 % small."""
    rng = np.random.default_rng(11)
    label, score = rng.integers(0, 2, 4000), rng.random(4000)
    found = estimate(binary(label, score, edges=np.array([edges])), "roc_auc_ratio")
    assert found.error == pytest.approx(delong(label, score), rel=0.01)


@pytest.mark.parametrize(
    ("label", "score", "expected"),
    [
        ([0, 1], [0.1, 0.9], 1.0),
        ([0, 1], [0.9, 0.1], 0.0),
        ([0, 1, 0, 1], [0.5] * 4, 0.5),
        ([0, 1, 1], [0.0, 0.0, 1.0], 0.75),
        ([0, 1], [1e-300, 0.0], 0.0),
        ([0, 1], [0.0, 1e-300], 1.0),
    ],
)
def test_small_cases(label, score, expected):
    window = binary(label, score)
    bound = show(window, "roc_auc_error_bound")
    assert show(window, "roc_auc_ratio") == pytest.approx(expected, abs=bound + 1e-12)


def test_no_interval_without_spread():
    perfect = estimate(binary([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]), "roc_auc_ratio")
    assert perfect.value == 1
    assert perfect.interval() is None


def test_interval_contains_the_value():
    label, score = events(np.random.default_rng(2), 400, 1.0)
    found = estimate(binary(label, score), "roc_auc_ratio")
    lower, upper = found.interval()
    assert upper - found.value == pytest.approx(1.959964 * found.error, rel=1e-6)
    assert found.value - lower == pytest.approx(1.959964 * found.error, rel=1e-6)


@given(SEEDS)
def test_average_precision_is_the_step_sum_over_bins(seed):
    rng = np.random.default_rng(seed)
    label, score = events(rng, 200, 1.0)
    edges = np.array([[0.2, 0.4, 0.6, 0.8]])
    binned = np.searchsorted(edges[0], score, side="right")
    expected = sk.average_precision_score(label, binned)
    found = show(binary(label, score, edges=edges), "average_precision_ratio")
    assert found == pytest.approx(expected)
