"""Simulated months: no false alarm, and a change that is seen."""

import math

import numpy as np
import pytest

from exporter.anomalies.minutes import Minute
from exporter.anomalies.series import LEARNING, SCALES, SILENCE, Anomalies, Scale, Series

DAY = 1440
MONTH = 30 * DAY
MINUTES = np.arange(LEARNING + MONTH)
SINE = np.sin(2 * np.pi * MINUTES / DAY)
WEEKEND = np.where((MINUTES // DAY) % 7 >= 5, 0.5, 1.0)


def play(values, signal="prediction_mean", start=0):
    """The score at each minute; NaN while nothing is decided."""
    series = Series(SCALES.get(signal, Scale()))
    scores = np.full(len(values), np.nan)
    for number, value in enumerate(values.tolist()):
        series.take(start + number, value)
        if series.anomaly is not None:
            scores[number] = series.anomaly.score
    return scores


STREAMS = {
    "requests, 5 a minute": ("request_rate", lambda rng: rng.poisson(5, len(MINUTES))),
    "requests, 500 by day and week": (
        "request_rate",
        lambda rng: rng.poisson(500 * (1 + 0.5 * SINE) * WEEKEND),
    ),
    "latency, skewed and by day": (
        "latency",
        lambda rng: np.exp(rng.normal(-3 + 0.3 * SINE, 0.3)),
    ),
    "mean score": ("prediction_mean", lambda rng: rng.normal(0.5, 0.02, len(MINUTES))),
    "mean score, steep by day": ("prediction_mean", lambda rng: rng.normal(SINE, 0.02)),
    "a share of missing values": (
        "missing_share",
        lambda rng: rng.binomial(100, 0.02 * (1 + 0.5 * SINE)) / 100,
    ),
    "nothing ever missing": ("missing_share", lambda rng: np.zeros(len(MINUTES))),
}


@pytest.mark.parametrize("name", STREAMS)
def test_no_false_alarm_in_a_month(name):
    signal, values = STREAMS[name]
    scores = play(values(np.random.default_rng(7)), signal)
    assert np.isnan(scores[:LEARNING]).all()
    assert not np.isnan(scores[LEARNING:]).any()
    assert scores[LEARNING:].max() < 1


CHANGES = {
    "requests halve": ("request_rate", lambda rng, late: rng.poisson(np.where(late, 25, 50)), 30),
    "requests stop": ("request_rate", lambda rng, late: rng.poisson(np.where(late, 0, 50)), 10),
    "latency half as long again": (
        "latency",
        lambda rng, late: np.exp(rng.normal(np.where(late, -2.6, -3), 0.3)),
        60,
    ),
    "scores higher by one deviation and a half": (
        "prediction_mean",
        lambda rng, late: rng.normal(np.where(late, 0.53, 0.5), 0.02),
        120,
    ),
    "values begin to lack": (
        "missing_share",
        lambda rng, late: rng.binomial(100, np.where(late, 0.2, 0.0)) / 100,
        10,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen_and_its_end_too(name):
    signal, values, soon = CHANGES[name]
    start, end = LEARNING + 3 * DAY + 777, LEARNING + 3 * DAY + 777 + 200
    minutes = np.arange(end + DAY)
    late = (minutes >= start) & (minutes < end)
    scores = play(values(np.random.default_rng(3), late), signal)
    assert scores[LEARNING:start].max() < 1
    assert (scores[start : start + soon] >= 1).any()
    assert scores[end + 60 :].max() < 1


def test_an_hour_of_day_is_not_an_hour_of_week():
    """A weekend as every weekend is no anomaly; a Wednesday like a weekend is one."""
    rng = np.random.default_rng(5)
    values = rng.poisson(100 * WEEKEND).astype(float)
    assert play(values, "request_rate")[LEARNING:].max() < 1
    wednesday = LEARNING + 7 * DAY + 2 * DAY
    values[wednesday : wednesday + DAY] /= 2
    assert play(values, "request_rate")[wednesday : wednesday + DAY].max() >= 1


def test_one_minute_alone_is_no_anomaly():
    values = np.random.default_rng(2).normal(0.5, 0.02, LEARNING + 2 * DAY)
    values[LEARNING + DAY] = 1e6
    assert play(values)[LEARNING:].max() < 1


def test_what_stays_becomes_usual():
    rng = np.random.default_rng(4)
    weeks = np.arange(16 * 7 * DAY)
    values = rng.normal(np.where(weeks >= LEARNING, 0.6, 0.5), 0.02)
    scores = play(values)
    assert scores[LEARNING + 100 : LEARNING + DAY].min() >= 1
    assert np.median(scores[-7 * DAY :]) < 1


def test_after_a_long_silence_nothing_is_said():
    signals = Anomalies()
    known = {"request_rate": 5.0, "latency": 0.1}
    signals.take(Minute(n, known) for n in range(LEARNING + 10))
    assert set(signals.decided()) == {"request_rate", "latency"}
    last = LEARNING + 10
    signals.take(Minute(n, {"request_rate": 5.0}) for n in range(last, last + SILENCE))
    assert "latency" in signals.decided()
    signals.take([Minute(last + SILENCE, {"request_rate": 5.0})])
    assert set(signals.decided()) == {"request_rate"}


def test_what_is_usual_is_told_on_the_scale_of_the_value():
    signals = Anomalies()
    signals.take(Minute(n, {"latency": 0.25}) for n in range(LEARNING + 1))
    assert signals.decided()["latency"].usual == pytest.approx(0.25)
    assert signals.decided()["latency"].value == 0.25
    assert not signals.decided()["latency"].detected


def test_memory_does_not_grow():
    series = Series(Scale())
    sizes = []
    for number in range(2 * LEARNING):
        series.take(number, math.sin(number))
        if number in (LEARNING, 2 * LEARNING - 1):
            sizes.append(sum(one.nbytes for one in vars(series._baseline).values()
                             if isinstance(one, np.ndarray)))  # fmt: skip
    assert sizes[0] == sizes[1] < 20_000
