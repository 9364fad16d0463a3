"""The alert decision: its budget of false alarms, and when it can be taken at all."""

import numpy as np
import pytest

from exporter.decisions import alpha, judged, limit_metrics
from exporter.estimates import Estimate, Mean, Normal, Proportion
from exporter.registry import METRICS
from tests.metrics.build import binary, multiclass, regression
from tests.metrics.test_estimated import counted, learned


def breached(*asked):
    return judged(*asked)[1]


def test_budget_is_half_an_alarm_a_month():
    looks = 30 * 24 * 60
    assert alpha(60.0, 1, 1000) * looks == pytest.approx(0.5)
    assert alpha(60.0, 12, 1000) * looks * 12 == pytest.approx(0.5)
    assert alpha(30.0, 12, 5000) * 2 * looks * 12 == pytest.approx(0.5)


def test_few_events_get_a_fifth():
    assert alpha(60.0, 3, 999) == pytest.approx(alpha(60.0, 3, 1000) / 5)


def test_a_noisy_estimate_below_the_limit_is_no_breach():
    assert breached(Proportion(890, 1000), "min", 0.9, alpha(60.0, 1, 1000)) is False
    assert breached(Proportion(800, 1000), "min", 0.9, alpha(60.0, 1, 1000)) is True
    assert breached(Proportion(800, 1000), "max", 0.9, alpha(60.0, 1, 1000)) is False
    assert breached(Proportion(980, 1000), "max", 0.9, alpha(60.0, 1, 1000)) is True


@pytest.mark.parametrize(
    "estimate", [Proportion(0, 3), Proportion(0, 0), Mean(199, 0.0, 199.0), Normal(0.1, 0.1, 99, 9)]
)
def test_too_few_events_decide_nothing(estimate):
    assert breached(estimate, "min", 0.9, 1e-5) is None


def test_means_are_decided():
    rng = np.random.default_rng(1)
    error = np.abs(rng.normal(2.0, 1.0, 5000))
    mean = Mean(5000, error.sum(), error @ error)
    assert breached(mean, "max", 1.0, 1e-6) is True
    assert breached(mean, "max", 2.0, 1e-6) is False
    assert breached(mean, "min", 3.0, 1e-6) is True


def test_limits_are_tested_where_certainty_is_known():
    """Every metric that gives an estimate says so, and only those."""
    rng = np.random.default_rng(1)
    label, score = rng.integers(0, 2, 300), rng.random(300)
    windows = [
        binary(label, score),
        counted(learned(label, score), label, score, label),
        multiclass(label, np.column_stack([1 - score, score])),
        regression(score, score + 0.1),
    ]
    given = {
        metric.key
        for window in windows
        for metric in METRICS.values()
        if window.schema.task in metric.tasks and isinstance(metric.value(window), Estimate)
    }
    assert given == limit_metrics()
    assert {"accuracy_ratio", "roc_auc_ratio", "mean_absolute_error"} <= given
    assert "matthews_correlation" not in given
