"""Calibration: beside scikit-learn's isotonic regression."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.isotonic import IsotonicRegression

from exporter.edges import class_edges, score_edges
from exporter.reference.calibration import (
    FEWEST_OF_A_CLASS,
    bin_means,
    calibrated,
    calibration,
    isotonic,
)
from exporter.rows import Labels
from exporter.schema import Schema

SCORES = st.integers(0, 10**5).map(lambda score: score / 10**5)
CELLS = st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=1, max_size=40)


@given(CELLS, st.integers(0, 2**32 - 1))
def test_isotonic_is_scikit_learns(cells, seed):
    """On weighted bins; those without events lie on the line between their neighbours."""
    counts = np.array([float(n) for n, _ in cells])
    positives = np.array([np.round(n * share) for n, share in cells])
    at = np.sort(np.random.default_rng(seed).random(len(cells)))
    found = isotonic(positives, counts, at)
    some = counts > 0
    if not some.any():
        assert not found.any()
        return
    twin = IsotonicRegression(out_of_bounds="clip")
    twin.fit(at[some], positives[some] / counts[some], sample_weight=counts[some])
    np.testing.assert_allclose(found, twin.predict(at), atol=1e-9)
    assert (np.diff(found) >= -1e-15).all()


LABELLED = st.lists(st.tuples(SCORES, st.booleans()), min_size=20, max_size=300)


def unzipped(events):
    return np.array([score for score, _ in events]), np.array([label for _, label in events])


@given(LABELLED)
def test_a_bin_is_worth_what_its_scores_are_in_the_mean(events):
    """So on the reference itself the bins lose nothing of a count."""
    scores, truth = unzipped(events)
    edges = score_edges(scores, 0.5)[0]
    found = calibration(scores, truth, edges)
    if min(truth.sum(), (~truth).sum()) < FEWEST_OF_A_CLASS:
        assert found is None
        return
    if sk.roc_auc_score(truth, scores) > 0.999:
        return
    twin = IsotonicRegression(out_of_bounds="clip").fit(scores, truth).predict(scores)
    at = edges.searchsorted(scores, side="right")
    size = len(edges) + 1
    np.testing.assert_allclose(
        found * np.bincount(at, minlength=size), np.bincount(at, twin, minlength=size), atol=1e-9
    )
    assert (np.diff(found) >= -1e-12).all()
    assert found.min() >= 0
    assert found.max() <= 1


@given(LABELLED, st.integers(0, 2**32 - 1))
def test_the_order_of_labels_does_not_matter(events, seed):
    scores, truth = unzipped(events)
    order = np.random.default_rng(seed).permutation(len(scores))
    edges = score_edges(scores, 0.5)[0]
    one, other = (calibration(scores[o], truth[o], edges) for o in (slice(None), order))
    assert (one is None) == (other is None)
    if one is not None:
        np.testing.assert_allclose(one, other, atol=1e-12)


@given(st.lists(SCORES, max_size=100))
def test_means_of_bins(listed):
    scores = np.array(listed)
    edges = score_edges(scores, 0.5)[0]
    means = bin_means(scores, edges)
    at = edges.searchsorted(scores, side="right")
    for place in np.unique(at):
        assert means[place] == pytest.approx(scores[at == place].mean())
    assert (np.diff(means) >= 0).all()


def test_separable_scores_claim_no_certainty():
    scores = np.linspace(0, 1, 400)
    edges = score_edges(scores, 0.5)[0]
    found = calibration(scores, scores > 0.6, edges)
    np.testing.assert_array_equal(found, bin_means(scores, edges))


def binary(positives, negatives, scores=None):
    """The calibration that so many labels give."""
    label = np.array([1] * positives + [0] * negatives)
    scores = np.linspace(0.1, 0.9, len(label)) if scores is None else scores
    schema = Schema("binary", ("0", "1"), "1", score_edges=score_edges(scores, 0.5))
    return calibrated(schema, Labels(len(label), code=label, label=label, value=scores)).calibration


def test_too_few_labels_teach_nothing():
    assert binary(FEWEST_OF_A_CLASS - 1, 500) is None
    assert binary(500, FEWEST_OF_A_CLASS - 1) is None
    assert binary(500, 0) is None
    assert binary(FEWEST_OF_A_CLASS, 500) is not None
    assert binary(50, 50, np.full(100, np.nan)) is None


def test_what_has_no_labels_or_scores_is_not_calibrated():
    edges = score_edges(np.linspace(0, 1, 100), 0.5)
    label = np.array([0, 1] * 50)
    scored = Schema("binary", ("0", "1"), "1", score_edges=edges)
    for schema, rows in (
        (scored, None),
        (scored, Labels(100, code=label, label=label)),
        (Schema("binary", ("0", "1"), "1"), Labels(100, code=label, label=label, value=label / 1)),
        (Schema("regression"), Labels(100, truth=label / 1, value=label / 1)),
    ):
        assert calibrated(schema, rows) is schema


def test_a_class_of_few_labels_keeps_its_scores():
    rng = np.random.default_rng(3)
    scores = rng.dirichlet((2, 2, 0.5), 3000)
    label = np.where(np.arange(3000) < 4, 2, rng.random(3000) < scores[:, 1] ** 2)
    schema = Schema("multiclass", ("a", "b", "rare"), score_edges=class_edges(scores))
    rows = Labels(3000, code=label, label=label, scores=scores)
    table = calibrated(schema, rows).calibration
    means = [bin_means(scores[:, k], schema.score_edges[k]) for k in range(3)]
    np.testing.assert_array_equal(table[2], means[2])
    assert np.abs(table[1] - means[1]).max() > 0.1
