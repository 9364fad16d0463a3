"""Edges of score histograms, and counting into their bins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.edges import (
    atoms,
    class_edges,
    counts,
    counts_up_to,
    more_class_edges,
    score_edges,
)

SCORES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0])), max_size=400)
MAYBE = st.one_of(st.floats(0, 1), st.just(np.nan), st.sampled_from([0.25, 0.5]))


@given(SCORES, st.floats(0.01, 0.99))
def test_edges_rise_and_hold_the_threshold(scores, threshold):
    (edges,) = score_edges(np.array(scores), threshold)
    assert (np.diff(edges) > 0).all()
    assert threshold in edges
    assert edges[0] >= 0
    assert len(edges) < 600


def test_edges_are_fine_at_both_ends_and_follow_the_scores():
    (edges,) = score_edges(np.random.default_rng(0).uniform(0.3, 0.4, 10000), 0.5)
    assert np.count_nonzero((edges > 0.3) & (edges < 0.4)) >= 60
    assert np.count_nonzero(edges < 0.01) >= 10
    assert np.count_nonzero(edges > 0.99) >= 10


def test_a_heavy_value_is_alone():
    scores = np.concatenate([np.random.default_rng(0).random(5000), np.full(200, 0.123)])
    (edges,) = score_edges(scores, 0.5)
    around = [np.nextafter(0.123, 0), 0.123, np.nextafter(0.123, 1)]
    bin_of = np.searchsorted(edges, around, side="right")
    assert len(set(bin_of.tolist())) == 3
    assert atoms(edges)[bin_of[1]]


def test_scores_of_two_decimals_lose_nothing():
    scores = np.round(np.random.default_rng(0).random(1000), 2)
    (edges,) = score_edges(scores, 0.5)
    used = counts(scores, edges) > 0
    assert atoms(edges)[used].all()


@pytest.mark.parametrize(("classes", "wide"), [(1, 1300), (3, 433), (10, 130), (100, 24)])
def test_class_edges_are_bounded_together(classes, wide):
    rng = np.random.default_rng(classes)
    scores = rng.dirichlet(np.ones(classes), 2000)
    edges = class_edges(scores)
    assert edges.shape == (classes, wide)
    assert (np.diff(edges, axis=1) >= 0).all()
    assert ((edges > 0) & (edges <= np.nextafter(1, 2))).all()


def test_class_edges_follow_each_class():
    rng = np.random.default_rng(1)
    scores = np.column_stack([rng.uniform(0, 0.01, 5000), rng.uniform(0.9, 1, 5000)])
    rare, common = class_edges(scores)
    assert np.count_nonzero(rare < 0.01) > 0.5 * len(rare)
    assert np.count_nonzero(common > 0.9) > 0.5 * len(common)


def test_more_classes_keep_the_edges_of_the_first():
    edges = class_edges(np.random.default_rng(1).dirichlet(np.ones(3), 500))
    more = more_class_edges(edges, 5)
    assert more.shape == (5, edges.shape[1])
    np.testing.assert_array_equal(more[:3], edges)
    assert (np.diff(more, axis=1) >= 0).all()
    assert more_class_edges(edges, 3).shape == edges.shape


@pytest.mark.parametrize("scores", [np.zeros((0, 4)), np.full((5, 4), np.nan)])
def test_class_edges_of_nothing(scores):
    assert class_edges(scores).shape == (4, 325)


@given(st.lists(MAYBE, max_size=60), st.sets(st.floats(0, 1), max_size=20))
def test_counts_are_searchsorted_right(values, edges):
    values, edges = np.array(values), np.array(sorted(edges))
    known = values[~np.isnan(values)]
    places = np.searchsorted(edges, known, side="right")
    expected = np.bincount(places, minlength=len(edges) + 1)
    np.testing.assert_array_equal(counts(values, edges), expected)


@given(st.lists(MAYBE, max_size=60))
def test_counts_up_to_are_prometheus_buckets(values):
    values, edges = np.array(values), np.array([0.25, 0.5, 1.0])
    *found, total = counts_up_to(values, edges)
    below = [np.count_nonzero(values <= edge) for edge in edges]
    np.testing.assert_array_equal(np.cumsum(found)[:3], below)
    assert sum(found) == np.count_nonzero(~np.isnan(values))
    assert total == pytest.approx(np.nansum(values))


def test_atoms():
    edges = np.array([0.3, np.nextafter(0.3, 1), 0.7, 0.7, 1.0])
    assert atoms(edges).tolist() == [False, True, False, True, False, True]
    assert atoms(np.array([np.nextafter(0, 1)])).tolist() == [True, False]
