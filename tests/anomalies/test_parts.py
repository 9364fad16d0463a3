"""Baseline, detectors and minutes, each against what it should be."""

import numpy as np
import pytest

from exporter.anomalies.baseline import FEWEST, KEPT, Baseline
from exporter.anomalies.detectors import CUSUM_LIMIT, EWMA_LIMIT, Cusum, Ewma
from exporter.anomalies.minutes import LONGEST_GAP, Minutes
from exporter.config.settings import WindowSpec
from exporter.layout import Layout
from exporter.registry import STATISTICS
from exporter.rows import Predictions
from exporter.schema import Schema
from tests.engine.support import configured, monitor, only, send

WEEK = 168 * 60


def taught(values):
    """A baseline of the first hour of the week; ``values`` are a row a week."""
    baseline = Baseline()
    for week, row in enumerate(values):
        for minute, value in enumerate(row):
            baseline.learn(week * WEEK + minute, value)
    return baseline


@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_the_line_is_that_of_least_squares(offset):
    rng = np.random.default_rng(1)
    values = offset + rng.normal(0, 1, (2, 60)) + np.arange(60) * 0.5
    minutes, weights = np.tile(np.arange(60.0), 2), np.repeat([KEPT, 1.0], 60)
    slope, start = np.polyfit(minutes, values.ravel() - offset, 1, w=np.sqrt(weights))
    usual = taught(values).usual(17)
    assert usual.mean - offset == pytest.approx(start + 17 * slope, abs=1e-5)
    left = values.ravel() - offset - start - slope * minutes
    deviation = np.sqrt((weights * left**2).sum() / (weights.sum() - 2))
    assert usual.deviation == pytest.approx(deviation, rel=1e-5)


def test_little_is_known_of_an_hour_at_first():
    values = np.random.default_rng(1).normal(0, 1, (1, 60))
    assert taught(values[:, : FEWEST - 1]).usual(3) is None
    assert taught(values).usual(3) is not None
    assert taught(values).usual(63) is None


def test_leverage_is_that_of_a_line():
    """The variance of the fitted mean, by the hat matrix."""
    usual = taught(np.zeros((1, 60))).usual(0)
    design = np.column_stack([np.ones(60), np.arange(60)])
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    assert usual.leverage == pytest.approx(hat[0, 0])


def test_ewma_reaches_its_limit_where_the_formula_says():
    """A shift of d deviations takes the average to d (1 - .9^t)."""
    ewma = Ewma()
    scores = [ewma.add(2.0) for _ in range(50)]
    limit = EWMA_LIMIT * np.sqrt(0.1 / 1.9)
    expected = 2 * (1 - 0.9 ** np.arange(1, 51)) / limit
    np.testing.assert_allclose(scores, expected)
    assert Ewma().add(-2.0) == Ewma().add(2.0)


def test_cusum_adds_what_is_beyond_the_slack():
    cusum = Cusum()
    assert cusum.add(3.0) == pytest.approx(2 / CUSUM_LIMIT)
    assert cusum.add(3.0) == pytest.approx(4 / CUSUM_LIMIT)
    assert cusum.add(0.0) == pytest.approx(3 / CUSUM_LIMIT)
    assert cusum.add(-3.0) == pytest.approx(2 / CUSUM_LIMIT)
    assert max(cusum.add(100.0) for _ in range(10)) == 2


def watched():
    of = monitor(configured(), windows=(WindowSpec("5m", 300.0),))
    send(of, {"score": 0.5}, now=10.0)
    of.tick(61.0)  # the first minute was not whole
    return of


def minutes(of, now):
    counts = only(of).counts
    counts.flush(now)
    return counts.minutes.take(now)


def test_a_minute_holds_what_arrived_in_it():
    of = watched()
    common = {"latency_seconds": 0.2, "features": {"a": 1, "b": None}}
    send(of, {"score": 0.25, **common}, {"score": 0.75, "latency_seconds": 0.4}, now=70.0)
    assert minutes(of, 119.0) == []
    (minute,) = minutes(of, 120.0)
    assert minute.number == 1
    assert minute.values == pytest.approx(
        {"request_rate": 2, "latency": 0.3, "prediction_mean": 0.5, "missing_share": 0.5}
    )
    assert minutes(of, 121.0) == []


def test_outputs_are_told_without_their_centre():
    layout = Layout(Schema("regression", center=100.0), STATISTICS.values())
    of = Minutes(0.0)
    of.take(60.0)
    of.add(layout, layout.fold(Predictions(2, value=np.array([101.0, 103.0])), None), 70.0)
    (minute,) = of.take(120.0)
    assert minute.values == {"request_rate": 2, "prediction_mean": 102}


def test_a_minute_without_events_has_a_rate_of_zero():
    of = watched()
    assert [m.values for m in minutes(of, 240.0)] == [{"request_rate": 0.0}] * 3


def test_a_long_gap_is_not_known():
    of = watched()
    later = 60.0 * (LONGEST_GAP + 5)
    assert minutes(of, later) == []
    send(of, {"score": 0.5}, now=later + 70)
    (minute,) = minutes(of, later + 120)
    assert minute.values["request_rate"] == 1


def test_the_tick_feeds_the_series():
    of = monitor(configured(), windows=(WindowSpec("5m", 300.0),), model_ttl=30 * 86_400.0)
    send(of, {"score": 0.5}, now=10.0)
    for minute in range(1, 20_200):
        of.tick(60.0 * minute)
    (one,) = only(of).anomalies.decided().values()
    assert one.value == 0
    for minute in range(20_200, 20_205):
        for _ in range(5):
            send(of, {"score": 0.5}, now=60.0 * minute)
        of.tick(60.0 * minute + 59)
    of.tick(60.0 * 20_205)
    assert only(of).anomalies.decided()["request_rate"].detected
