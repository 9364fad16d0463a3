"""Histograms over a model's life, with edges that are interface.

Each appears with its first value: not every client sends latencies, and not every model scores.
"""

from __future__ import annotations

from exporter.registry import BINARY, Floats, total
from exporter.statistics.label_delay import DELAY_EDGES
from exporter.statistics.latency import LATENCY_EDGES
from exporter.statistics.predicted_scores import SCORE_EDGES
from exporter.window import Window

Histogram = tuple[Floats, float]
"""Counts per bin, +Inf last, and the sum of the values."""


@total(
    "model_prediction_score",
    "Scores of predictions: the probability of the positive class.",
    tasks=BINARY,
    group="histogram",
    edges=SCORE_EDGES,
)
def prediction_score(life: Window) -> Histogram | None:
    """Return the histogram of scores."""
    return _histogram(life, "prediction_score")


@total(
    "model_prediction_latency_seconds",
    "Time that predictions took, as sent, in seconds.",
    group="histogram",
    edges=LATENCY_EDGES,
)
def prediction_latency(life: Window) -> Histogram | None:
    """Return the histogram of latencies."""
    return _histogram(life, "latency_seconds")


@total(
    "model_label_delay_seconds",
    "Time from a prediction to its label, in seconds.",
    group="histogram",
    edges=DELAY_EDGES,
)
def label_delay(life: Window) -> Histogram | None:
    """Return the histogram of delays."""
    return _histogram(life, "label_delay_seconds")


def _histogram(life: Window, name: str) -> Histogram | None:
    array = life.get(name)
    if array is None or not array[:-1].any():
        return None
    return array[:-1], float(array[-1])
