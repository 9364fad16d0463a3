"""The laws of windows: a window is the sum of exactly the panes that belong to it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import WindowSpec
from exporter.counts import ADAPT_ABOVE, Counts
from exporter.edges import score_edges
from exporter.layout import Layout
from exporter.metrics.ranking import roc_auc, roc_auc_error_bound
from exporter.panes import PANES, CountPanes, Panes
from exporter.registry import STATISTICS
from exporter.rows import Labels, Predictions, concat, last
from exporter.schema import Schema
from tests.laws.strategies import SEEDS

LENGTHS = {"15s": 15.0, "1m": 60.0, "5m": 300.0, "7m": 420.0, "1h": 3600.0, "24h": 86_400.0}
SCHEMA = Schema("binary", ("0", "1"), "1", score_edges=score_edges(np.linspace(0, 1, 50), 0.5))
REGRESSION = Schema("regression", center=3.0, label_center=4.0)
windows = st.lists(st.sampled_from(sorted(LENGTHS)), min_size=1, unique=True)
steps = st.lists(
    st.one_of(
        st.floats(0, 1),
        st.floats(0, 100),
        st.sampled_from([0.0, 0.25, 60.0, 300.0, 420.0, 3600.0, 90_000.0, -5.0, -4000.0]),
    ),
    min_size=1,
    max_size=30,
)
starts = st.sampled_from([0.0, 86_400.0 * 20_000 - 3, 1_790_000_000.3])
"""One is just before midnight."""


def layout(schema=SCHEMA):
    return Layout(schema, STATISTICS.values())


def specs(names):
    return [WindowSpec(name, LENGTHS[name]) for name in names]


def numbers(layout, number):
    """A summary in which each row can be told: a power of two has one place in a sum."""
    vector = layout.zero()
    vector[0], vector[-1] = 1.0, 2.0 ** (number % 50)
    return vector


def widths(names):
    """The width of each window's panes, by what the documentation says."""
    width, found = None, {}
    for name in sorted(names, key=LENGTHS.get):
        least = LENGTHS[name] / PANES
        width = least if width is None else width * math.floor(least / width + 1e-9)
        found[name] = width
    return found


@given(windows, starts, steps)
def test_a_window_is_the_sum_of_exactly_its_panes(names, start, moves):
    place = layout()
    panes = Panes(place, {name: LENGTHS[name] for name in names}, start)
    width = widths(names)
    now = latest = start
    rows = []
    for number, move in enumerate(moves):
        now = max(0.0, now + move)
        # A clock that went back adds to the pane that is open.
        latest = max(latest, now)
        rows.append((latest, numbers(place, number)))
        panes.add(rows[-1][1], now)
    shortest = min(width.values())
    latest = max(now, latest // shortest * shortest)
    for name in names:
        of = width[name]
        # A pane belongs as long as some of its time lies within the window.
        belongs = [row for at, row in rows if (at // of + 1) * of > latest - LENGTHS[name]]
        vector, span = panes.window(name, now)
        np.testing.assert_array_equal(vector, sum(belongs, place.zero()))
        assert 0 <= span <= LENGTHS[name] + of + 1e-6
        assert span <= max(0.0, now - start) + 1e-6
        if now - start > LENGTHS[name] and now == latest:
            assert span >= LENGTHS[name] - 1e-6


@pytest.mark.parametrize("name", sorted(LENGTHS))
def test_a_row_stays_as_long_as_the_window_and_one_pane_at_most(name):
    place = layout()
    seconds = LENGTHS[name]
    for offset in np.linspace(0, seconds / PANES, 7, endpoint=False):
        panes = Panes(place, {name: seconds}, 1000.0 * seconds)
        added = 1000.0 * seconds + offset
        panes.add(numbers(place, 1), added)
        assert panes.window(name, added + seconds)[0][0] == 1
        assert panes.window(name, added + seconds * (1 + 1 / PANES) + 1e-3)[0][0] == 0


def test_a_gap_longer_than_the_window_leaves_nothing():
    place = layout()
    panes = Panes(place, {"1m": 60.0, "1h": 3600.0}, 0.0)
    panes.add(numbers(place, 0), 10.0)
    assert panes.window("1m", 3000.0)[0].any() == np.False_
    assert panes.window("1h", 3000.0)[0][0] == 1
    assert panes.window("1h", 1e6)[0].any() == np.False_


def test_midnight_is_a_moment_like_any_other():
    place = layout()
    midnight = 86_400.0 * 20_000
    panes = Panes(place, {"1m": 60.0, "24h": 86_400.0}, midnight - 30)
    for second in range(-30, 30):
        panes.add(numbers(place, 0), midnight + second)
    assert panes.window("1m", midnight + 30)[0][0] == 60
    assert panes.window("24h", midnight + 30)[0][0] == 60
    assert panes.window("1m", midnight + 30)[1] == 60


def test_a_pane_leaves_at_its_end_where_panes_of_windows_do_not_align():
    place = layout()
    panes = Panes(place, {"7m": 420.0, "1h": 3600.0}, 0.0)
    panes.add(numbers(place, 0), 56 * 100 - 1.0)
    leaves = 56 * 100 + 3600.0
    assert panes.window("1h", leaves - 1.0)[0][0] == 1
    assert panes.window("1h", leaves + 0.5)[0][0] == 0


def test_a_clock_that_went_back_spans_what_is_left():
    panes = Panes(layout(), {"1m": 60.0}, 0.0)
    assert panes.window("1m", 1000.0)[1] == 60.0
    assert panes.window("1m", 990.0)[1] == 50.0
    assert panes.window("1m", 10.0)[1] == 0.0


def test_time_that_stands_still_loses_nothing():
    place = layout()
    panes = Panes(place, {"1m": 60.0}, 50.0)
    for _ in range(1000):
        panes.add(numbers(place, 0), 50.0)
    assert panes.window("1m", 50.0)[0][0] == 1000


def labelled(rng, size, score=None):
    """Joined labels of a binary model."""
    label = rng.integers(0, 2, size)
    score = np.clip(rng.normal(0.4 + 0.2 * label, 0.2), 0, 1) if score is None else score
    code = (score >= 0.5).astype(np.int64)
    return Labels(size, code, label, code == label, value=score, delay=rng.lognormal(3, 2, size))


@given(SEEDS, st.integers(1, 2000), st.lists(st.integers(1, 97), min_size=1, max_size=20))
def test_the_last_n_labels_and_at_most_one_pane_more(seed, wanted, batches):
    rng = np.random.default_rng(seed)
    place = layout()
    panes = CountPanes(place, wanted, 0.0)
    added = []
    for now, size in enumerate(batches):
        added.append(labelled(rng, size))
        panes.add(added[-1], float(now))
    rows = concat(added)
    vector, span = panes.window(float(len(batches)))
    room = max(1, wanted // PANES)
    counted = int(place.view(vector, "labels")[0])
    assert min(wanted, rows.size) <= counted < wanted + room
    assert 0 <= span <= len(batches)
    kept = last(rows, counted)
    np.testing.assert_allclose(vector, place.fold(None, kept), rtol=1e-9, atol=1e-12)


EXACT = ("labels", "predictions", "confusion", "correct", "predicted", "features")


def same_counts(one, other, names=EXACT):
    """Two windows agree in everything that does not depend on edges."""
    for name in names:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def predicted(rng, size, **columns):
    score = rng.random(size)
    return Predictions(size, code=(score >= 0.5).astype(np.int64), value=score, **columns)


@given(SEEDS)
def test_new_classes_features_and_edges_keep_everything_but_histograms_of_other_edges(seed):
    rng = np.random.default_rng(seed)
    schema = replace(SCHEMA, features=("a",))
    place = layout(schema)
    panes = Panes(place, {"1m": 60.0, "5m": 300.0}, 0.0)
    counted = CountPanes(place, 200, 0.0)
    for now in np.sort(rng.uniform(0, 200, 20)):
        rows = labelled(rng, int(rng.integers(1, 9)))
        features = {"a": [None, 1.0] * 4}
        panes.add(place.fold(predicted(rng, 8, features=features), rows), now)
        counted.add(rows, now)
    vectors = {name: panes.window(name, 200.0)[0] for name in ("1m", "5m")}
    vectors["200 labels"] = counted.window(200.0)[0]
    wider = replace(schema, features=("a", "b"), center=0.7)
    edged = replace(wider, score_edges=score_edges(rng.random(100), 0.5))
    for after, keeps in ((wider, True), (edged, False)):
        panes.carry(layout(after))
        counted.carry(layout(after))
        for name, vector in vectors.items():
            new = counted.window(200.0)[0] if "labels" in name else panes.window(name, 200.0)[0]
            for each in ("labels", "predictions", "confusion", "correct", "predicted"):
                np.testing.assert_array_equal(
                    place.view(vector, each), panes.layout.view(new, each), err_msg=each
                )
            np.testing.assert_array_equal(
                place.view(vector, "features")[0], panes.layout.view(new, "features")[0]
            )
            bins = panes.layout.view(new, "label_score_bins")
            assert bins.any() == (keeps and place.view(vector, "label_score_bins").any())
            old, moved = (
                place.view(vector, "output_moments"),
                panes.layout.view(new, "output_moments"),
            )
            assert moved[0] == old[0]
            if moved[0]:
                mean = old[1] / old[0] + schema.center
                assert moved[1] / moved[0] + after.center == pytest.approx(mean, abs=1e-9)


def fill(counts, rng, size, now, score=None):
    rows = labelled(rng, size, score)
    counts.add(
        Predictions(size, code=rows.code, value=rows.value, latency=rng.lognormal(-3, 1, size)),
        rows,
        now,
    )
    counts.flush(now)
    return rows


SPECS = [*specs(["1m", "5m", "1h"]), WindowSpec("300 labels", labels=300)]
BARE = Schema("binary", ("0", "1"), "1")


def test_rows_of_the_start_land_in_their_own_panes():
    rng = np.random.default_rng(3)
    counts = Counts(BARE, SPECS, 0.0)
    rows = [(float(now), fill(counts, rng, 30, float(now))) for now in range(0, 330, 10)]
    assert counts.schema.score_edges is None
    before = {spec.name: counts.window(spec, 325.0) for spec in SPECS}
    fill(counts, rng, 40, 330.0)
    assert counts.schema.score_edges is not None
    for spec in SPECS:
        after = counts.window(spec, 330.0)
        if spec.seconds is None:
            continue
        since = math.floor(330.0 / (spec.seconds / PANES)) * (spec.seconds / PANES) - spec.seconds
        assert after.labels == 40 + sum(part.size for at, part in rows if at >= since)
        assert before[spec.name].labels == sum(
            part.size for at, part in rows if at >= 325.0 - spec.seconds
        )
    assert 300 <= before["300 labels"].labels <= 310
    assert 300 <= counts.window(SPECS[-1], 330.0).labels <= 310


@given(SEEDS)
def test_the_end_of_the_start_changes_no_value(seed):
    rng = np.random.default_rng(seed)
    specs_ = [WindowSpec("1h", 3600.0)]
    started, ended = Counts(BARE, specs_, 0.0), Counts(BARE, specs_, 0.0)
    for now in range(10):
        state = rng.bit_generator.state
        fill(started, rng, 50, float(now))
        rng.bit_generator.state = state
        fill(ended, rng, 50, float(now))
    ended.flush(600.0)
    assert started.schema.score_edges is None
    assert ended.schema.score_edges is not None
    before, after = started.window(specs_[0], 600.0), ended.window(specs_[0], 600.0)
    assert before.span == after.span == 600.0
    assert before.layout.places.keys() == after.layout.places.keys()
    np.testing.assert_allclose(before.vector, after.vector, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(started.life(600.0).vector, ended.life(600.0).vector)


def true_auc(rows):
    positives = np.sort(rows.value[rows.label == 1])
    negatives = np.sort(rows.value[rows.label == 0])
    below = negatives.searchsorted(positives, "left")
    up_to = negatives.searchsorted(positives, "right")
    return (below + up_to).sum() / 2 / len(positives) / len(negatives)


def narrow(rng, size):
    """Scores that fall between two edges of most grids."""
    return 0.7031 + 1e-4 * rng.beta(2, 2, size)


def test_edges_follow_scores_that_left_them():
    rng = np.random.default_rng(5)
    first = WindowSpec("1m", 60.0)
    counts = Counts(BARE, [first], 0.0)
    fill(counts, rng, 1200, 0.0)
    assert not counts.adapt(61.0)
    edges = counts.schema.score_edges
    arrived = []
    for second in range(61, 181, 2):
        size = 60
        label = rng.integers(0, 2, size)
        score = narrow(rng, size) + 2e-5 * label
        rows = Labels(size, np.ones(size, np.int64), label, label == 1, value=score)
        counts.add(None, rows, float(second))
        arrived.append((float(second), rows))
        counts.flush(float(second))
    window = counts.window(first, 181.0)
    assert roc_auc_error_bound(window) > ADAPT_ABOVE
    held = concat([rows for at, rows in arrived if at >= 121])
    assert abs(roc_auc(window).value - true_auc(held)) <= roc_auc_error_bound(window)
    total = window.labels
    assert counts.adapt(181.0)
    assert not np.array_equal(counts.schema.score_edges, edges)
    same_counts(counts.window(first, 181.0), window, ("labels", "confusion", "correct"))
    assert counts.window(first, 181.0).labels == total
    fresh = []
    for second in range(182, 250, 2):
        label = rng.integers(0, 2, 60)
        rows = Labels(
            60, np.ones(60, np.int64), label, label == 1, value=narrow(rng, 60) + 2e-5 * label
        )
        counts.add(None, rows, float(second))
        counts.flush(float(second))
        fresh.append((float(second), rows))
        now = counts.window(first, float(second))
        known = concat([part for _, part in fresh])
        if len(set(known.label.tolist())) == 2 and second < 240:
            bound = roc_auc_error_bound(now)
            assert bound <= ADAPT_ABOVE
            assert abs(roc_auc(now).value - true_auc(known)) <= bound + 1e-12


def test_edges_stay_where_they_serve():
    rng = np.random.default_rng(6)
    counts = Counts(BARE, [MINUTE := WindowSpec("1m", 60.0)], 0.0)
    for second in range(0, 300, 5):
        fill(counts, rng, 100, float(second))
        assert not counts.adapt(float(second))
    assert roc_auc_error_bound(counts.window(MINUTE, 300.0)) <= ADAPT_ABOVE


def test_the_first_score_may_come_long_after_the_start():
    rng = np.random.default_rng(7)
    spec = WindowSpec("1h", 3600.0)
    bare = Counts(BARE, [spec], 0.0)
    rows = labelled(rng, 1500)
    rows.value = None
    bare.add(None, rows, 0.0)
    bare.flush(0.0)
    assert bare.schema.score_edges is None
    later = fill(bare, rng, 200, 700.0)
    window = bare.window(spec, 700.0)
    assert window.labels == 1700
    assert abs(roc_auc(window).value - true_auc(later)) <= roc_auc_error_bound(window)
