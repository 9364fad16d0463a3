"""The laws that every statistic keeps: a window is a sum."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.edges import class_edges, more_class_edges, score_edges
from exporter.layout import Layout, sparse, total
from exporter.registry import STATISTICS, Statistic, same
from exporter.rows import Labels, Predictions, concat, select
from exporter.schema import Schema
from tests.laws.strategies import SEEDS, TASKS, labels, predictions, schema

SIZES = st.integers(0, 40)
each_task = pytest.mark.parametrize("task", TASKS)


def layout(schema):
    return Layout(schema, STATISTICS.values())


def assert_same(one, other):
    """The same sums, but for the order of adding."""
    scale = max(1.0, np.abs(other).max(initial=0))
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-13 * scale)


def batch(rng, meaning, size):
    return predictions(rng, meaning, size), labels(rng, meaning, size)


@each_task
@given(SEEDS, SIZES, SIZES)
def test_folding_is_additive_and_commutes(task, seed, first, second):
    rng = np.random.default_rng(seed)
    meaning = schema(rng, task)
    place = layout(meaning)
    a, b = batch(rng, meaning, first), batch(rng, meaning, second)
    together = [concat(pair) for pair in zip(a, b, strict=True)]
    reverse = [concat(pair) for pair in zip(b, a, strict=True)]
    apart = place.fold(*a) + place.fold(*b)
    assert_same(place.fold(*together), apart)
    assert_same(place.fold(*reverse), apart)


@each_task
@given(SEEDS, SIZES)
def test_the_order_of_rows_does_not_matter(task, seed, size):
    rng = np.random.default_rng(seed)
    meaning = schema(rng, task)
    rows = batch(rng, meaning, size)
    order = rng.permutation(size)
    place = layout(meaning)
    assert_same(place.fold(*(select(part, order) for part in rows)), place.fold(*rows))


@each_task
@given(SEEDS)
def test_nothing_folds_to_zero(task, seed):
    rng = np.random.default_rng(seed)
    meaning = schema(rng, task)
    place = layout(meaning)
    assert not place.fold(None, None).any()
    assert not place.fold(*batch(rng, meaning, 0)).any()
    assert len(place.zero()) == place.size
    assert not place.zero().any()


@each_task
def test_every_statistic_counts_something(task):
    """Else the laws above would hold of nothing."""
    rng = np.random.default_rng(1)
    meaning = complete(rng, task)
    place = layout(meaning)
    summary = sum(place.fold(*batch(rng, meaning, 50)) for _ in range(10))
    assert all(place.view(summary, name).any() for name in place.places)


def complete(rng, task):
    """A schema in which nothing is missing."""
    return next(
        one
        for one in (schema(rng, task) for _ in range(1000))
        if any(bins.kind == "numeric" for bins in one.bins)
        and (one.calibration is not None if task != "regression" else one.outputs and one.targets)
    )


def test_every_statistic_belongs_to_some_task():
    rng = np.random.default_rng(1)
    found = {name for task in TASKS for name in layout(complete(rng, task)).places}
    assert found == set(STATISTICS)


@each_task
@given(SEEDS, SIZES, SIZES)
def test_sparse_panes_sum_to_their_sum(task, seed, first, second):
    rng = np.random.default_rng(seed)
    meaning = schema(rng, task)
    place = layout(meaning)
    panes = [place.fold(*batch(rng, meaning, size)) for size in (first, 0, second)]
    assert_same(total(map(sparse, panes), place.size), sum(panes))
    assert_same(total([sparse(panes[0])], place.size), panes[0])


@each_task
@given(SEEDS, SIZES)
def test_folding_leaves_the_rows_alone(task, seed, size):
    rng = np.random.default_rng(seed)
    meaning = schema(rng, task)
    rows = batch(rng, meaning, size)
    place = layout(meaning)
    np.testing.assert_array_equal(place.fold(*rows), place.fold(*rows))


def grown(rng, before):
    """The schema after new features, and new classes where there may be some, were seen."""
    after = before.with_features(["g0", "g1"])
    if before.task == "multiclass":
        after = after.with_classes(["new", "newer"])
        if before.score_edges is not None:
            edges = more_class_edges(before.score_edges, len(after.classes))
            after = replace(after, score_edges=edges)
    return after


@each_task
@given(SEEDS, SIZES)
def test_growing_keeps_every_count(task, seed, size):
    """Carried to more classes and features, a pane is what the rows fold to there."""
    rng = np.random.default_rng(seed)
    before = schema(rng, task)
    after = grown(rng, before)
    rows = batch(rng, before, size)
    first, second = layout(before), layout(after)
    carried = first.carry(first.fold(*rows), second)
    expected = second.fold(*rows)
    known = len(before.features)
    for summary in (carried, expected):  # of a feature not seen before nothing is known
        second.view(summary, "features")[known:] = 0
    assert_same(carried, expected)


@given(SEEDS, SIZES)
def test_the_first_class_seen(seed, size):
    """A binary model has one class until the other comes."""
    rng = np.random.default_rng(seed)
    both = replace(schema(rng, "binary"), classes=("c0", "c1"))
    one = replace(both, classes=("c0",))
    rows = batch(rng, one, size)
    first, second = layout(one), layout(both)
    assert_same(first.carry(first.fold(*rows), second), second.fold(*rows))


@each_task
@given(SEEDS, SIZES)
def test_new_centres_move_nothing(task, seed, size):
    rng = np.random.default_rng(seed)
    before = schema(rng, task)
    after = replace(before, center=before.center + 10, label_center=before.label_center - 7)
    rows = batch(rng, before, size)
    first, second = layout(before), layout(after)
    assert_same(first.carry(first.fold(*rows), second), second.fold(*rows))


def with_other_edges(rng, before):
    if before.task == "binary":
        return replace(before, score_edges=score_edges(rng.random(300), 0.5))
    return replace(
        before, score_edges=class_edges(rng.dirichlet(np.ones(len(before.classes)), 300))
    )


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@given(SEEDS, SIZES)
def test_new_edges_drop_histograms_alone(task, seed, size):
    rng = np.random.default_rng(seed)
    before = schema(rng, task)
    after = with_other_edges(rng, before)
    rows = batch(rng, before, size)
    first, second = layout(before), layout(after)
    carried, expected = first.carry(first.fold(*rows), second), second.fold(*rows)
    histograms = {"label_score_bins", "class_score_bins", "predicted_score_bins"}
    histograms |= {"expected_classes", "expected_class_bins", "expected_correct"}
    for name in second.places:
        found, wanted = second.view(carried, name), second.view(expected, name)
        if name in histograms:
            assert not found.any()
        else:
            assert_same(found, wanted)


def test_classes_with_the_same_edges_keep_their_histograms():
    rng = np.random.default_rng(2)
    before = complete(rng, "multiclass")
    edges = before.score_edges.copy()
    edges[0, 3] = np.nextafter(edges[0, 3], 0)
    after = replace(before, score_edges=edges)
    rows = batch(rng, before, 40)
    first, second = layout(before), layout(after)
    summary = first.fold(*rows)
    carried = second.view(first.carry(summary, second), "class_score_bins")
    kept = first.view(summary, "class_score_bins")
    assert kept[0].any()
    assert not carried[0].any()
    np.testing.assert_array_equal(carried[1:], kept[1:])


@each_task
@given(SEEDS, SIZES)
def test_totals_outlive_edges_and_centres(task, seed, size):
    rng = np.random.default_rng(seed)
    before = schema(rng, task)
    after = before if task == "regression" else with_other_edges(rng, before)
    after = replace(after, center=1e3, label_center=-1e3)
    rows = batch(rng, before, size)
    first, second = layout(before), layout(after)
    life, moved = first.fold(*rows)[: first.lifetime_size], second.fold(*rows)
    np.testing.assert_array_equal(life, moved[: second.lifetime_size])
    np.testing.assert_array_equal(first.carry(life, second), life)


@given(SEEDS, SIZES)
def test_a_third_class_turns_a_model_multiclass(seed, size):
    """What has a meaning for both stays: counts by class, not probabilities of one."""
    rng = np.random.default_rng(seed)
    before = replace(schema(rng, "binary"), score_edges=None)
    after = replace(before, task="multiclass").with_classes(["third"])
    rows = batch(rng, before, size)
    first, second = layout(before), layout(after)
    carried, expected = first.carry(first.fold(*rows), second), second.fold(*rows)
    for name in ("predictions", "labels", "predicted", "confusion", "correct", "latency_bins"):
        assert_same(second.view(carried, name), second.view(expected, name))


def test_the_schema_of_nothing_has_a_layout():
    for task in TASKS:
        assert layout(Schema(task)).size > 0


def test_what_is_given_is_worked_out_once_a_batch():
    """Of predictions and of labels apart; and anew for the next batch."""
    asked = []

    def size_of(rows, schema):
        asked.append(type(rows))
        return rows.size

    def fold(out, size, schema):
        out += size

    found = [
        Statistic(name, rows, lambda schema: (1,), fold, same, lifetime=False, given=size_of)
        for name, rows in (("a", "predictions"), ("b", "predictions"), ("c", "labels"))
    ]
    layout = Layout(Schema("binary"), found)
    vector = layout.fold(Predictions(size=3), Labels(size=2))
    assert vector.tolist() == [3, 3, 2]
    assert asked == [Predictions, Labels]
    assert layout.fold(Predictions(size=1), None).tolist() == [1, 1, 0]
    assert asked == [Predictions, Labels, Predictions]
