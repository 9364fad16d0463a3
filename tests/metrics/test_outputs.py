"""Volume, outputs, latency, totals and histograms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.registry import TOTALS
from exporter.rows import ABSENT, Labels, Predictions
from exporter.schema import Schema
from tests.metrics.build import binary, multiclass, regression, show, window


def test_volume():
    full = binary([0, 1, 1], [0.1, 0.9, 0.4], span=300.0, name="5m")
    assert show(full, "window_predictions") == 3
    assert show(full, "window_labels") == 3
    assert show(full, "window_span_seconds") == 300
    assert show(full, "predictions_total") == 3
    assert show(full, "labels_total") == 3


@given(st.lists(st.floats(0, 1), min_size=2, max_size=100))
def test_moments_of_scores(scores):
    full = binary(np.zeros(len(scores)), scores)
    assert show(full, "prediction_mean") == pytest.approx(np.mean(scores), abs=1e-12)
    assert show(full, "prediction_stddev") == pytest.approx(np.std(scores), abs=1e-6)


def test_constant_outputs_have_no_deviation():
    assert show(regression([1.0] * 7, [0.1] * 7, center=0.0), "prediction_stddev") == 0
    assert show(regression([1.0], [0.1]), "prediction_stddev") is None


def test_shares_of_classes():
    full = multiclass([0, 0, 0, 0], predicted=[0, 2, 2, 2], classes=3)
    assert show(full, "prediction_class_ratio") == {"c0": 0.25, "c1": 0, "c2": 0.75}
    assert show(full, "predicted_class_total") == {"c0": 1, "c1": 0, "c2": 3}
    assert show(multiclass([], predicted=[], classes=2), "prediction_class_ratio") is None
    assert show(multiclass([], predicted=[], classes=2), "predicted_class_total") == {
        "c0": 0, "c1": 0,
    }  # fmt: skip


def test_confusion_totals_start_with_every_known_cell():
    full = binary([0, 1, 1], predicted=[0, 1, 0])
    assert show(full, "confusion_total") == {
        ("0", "0"): 1, ("0", "1"): 0, ("1", "0"): 1, ("1", "1"): 1,
    }  # fmt: skip
    assert show(window(Schema("binary")), "confusion_total") is None


def timed(latency):
    latency = np.array(latency, dtype=float)
    return window(Schema("regression"), Predictions(len(latency), latency=latency))


@given(st.lists(st.floats(1e-6, 1e5), min_size=1, max_size=200))
def test_latency_quantiles_within_one_per_cent(latency):
    found = show(timed(latency), "latency_quantile_seconds")
    for quantile, value in found.items():
        exact = np.quantile(latency, float(quantile), method="lower")
        assert value == pytest.approx(exact, rel=0.01 + 1e-9)


def test_latency_beyond_the_bins():
    found = show(timed([0.0, 1e-12, 1e307]), "latency_quantile_seconds")
    assert found["0.5"] == pytest.approx(1e-6, rel=0.02)
    assert show(timed([1e9]), "latency_quantile_seconds")["0.5"] == pytest.approx(1e5, rel=0.03)
    assert show(timed([np.nan]), "latency_quantile_seconds") is None


def test_latency_histogram():
    counts, total = show(timed([0.001, 0.0011, 5.0, 11.0, np.nan]), "prediction_latency_seconds")
    edges = TOTALS["model_prediction_latency_seconds"].edges
    assert len(counts) == len(edges) + 1
    cumulative = dict(zip(edges, np.cumsum(counts), strict=False))
    assert cumulative[0.001] == 1
    assert cumulative[0.0025] == 2
    assert cumulative[5.0] == cumulative[10.0] == 3
    assert counts.sum() == 4
    assert total == pytest.approx(16.0021)
    assert show(timed([np.nan]), "prediction_latency_seconds") is None


def test_score_histogram_has_exact_edges():
    edges = TOTALS["model_prediction_score"].edges
    assert [str(edge) for edge in edges[:4]] == ["0.05", "0.1", "0.15", "0.2"]
    assert edges[-1] == 1
    scores = [0.15, 0.151, 1.0, 0.0]
    counts, total = show(binary([0] * 4, scores), "prediction_score")
    assert counts.tolist() == [1, 0, 1, 1] + [0] * 15 + [1, 0]
    assert total == pytest.approx(sum(scores))


def test_label_delays():
    delays = np.array([0.5, 60.0, 61.0, 1e6, np.nan])
    labels = Labels(5, value=np.zeros(5), truth=np.zeros(5), delay=delays)
    counts, total = show(window(Schema("regression"), labels=labels), "label_delay_seconds")
    assert counts.tolist() == [1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1]
    assert total == pytest.approx(np.nansum(delays))


def features(columns, size, names=("a", "b")):
    schema = Schema("regression", features=names)
    full = window(schema, Predictions(size, features=columns))
    return show(full, "feature_values_total"), show(full, "feature_missing_total")


@pytest.mark.parametrize(
    ("column", "values", "missing"),
    [
        ([1.0, 2.5, None], 3, 1),
        ([1, 2, None], 3, 1),
        ([1, 2.5, float("nan")], 3, 1),
        (["x", "nan", None], 3, 1),
        (["x", float("nan"), None, 1, True], 5, 2),
        ([True, False, None], 3, 1),
        ([None, None], 2, 2),
        ([10**400, 1.0, float("nan")], 3, 1),
        ([ABSENT, 1.0, None, float("nan")], 3, 2),
        ([ABSENT, ABSENT], 0, 0),
        (np.array([1.0, np.nan]), 2, 1),
        (np.array([1, 2]), 2, 0),
        (np.array(["x", None, np.nan], dtype=object), 3, 2),
    ],
    ids=str,
)
def test_missing_values_of_a_feature(column, values, missing):
    counted, lost = features({"a": column}, len(column), ("a",))
    assert counted == {"a": values}
    assert lost == {"a": missing}


def test_a_feature_that_no_row_has_is_missing():
    counted, lost = features({"a": [ABSENT, 1.0, 2.0]}, 3)
    assert counted == {"a": 2, "b": 2}
    assert lost == {"a": 0, "b": 2}


def test_features_beyond_the_bound_are_left_out():
    counted, _ = features({"z": [1.0], "a": [1.0]}, 1)
    assert counted == {"a": 1, "b": 1}
    assert features(None, 3) == ({"a": 0, "b": 0}, {"a": 0, "b": 0})
    assert features({}, 3) == ({"a": 0, "b": 0}, {"a": 0, "b": 0})
