"""What a model answers and how fast, labelled or not."""

from __future__ import annotations

import math
from typing import Final

from exporter.registry import CLASSIFIERS, metric
from exporter.statistics.latency import LATENCY_BINS
from exporter.window import Window

QUANTILES: Final = (0.5, 0.9, 0.99)
_ROUNDING: Final = 1e-13
"""A variance below this share of the mean square is rounding: the outputs are constant."""


@metric(
    "model_prediction_mean",
    "Mean of the score if there is one, else of the predicted value.",
    tasks=("binary", "regression"),
    group="output",
    on="predictions",
)
def prediction_mean(window: Window) -> float | None:
    """Return the mean of outputs."""
    moments = window.get("output_moments")
    if moments is None or not moments[0]:
        return None
    return window.schema.center + float(moments[1] / moments[0])


@metric(
    "model_prediction_stddev",
    "Standard deviation of the score if there is one, else of the predicted value.",
    tasks=("binary", "regression"),
    group="output",
    on="predictions",
)
def prediction_stddev(window: Window) -> float | None:
    """Return the population's standard deviation, from two outputs on."""
    moments = window.get("output_moments")
    if moments is None or moments[0] < 2:
        return None
    n, total, squares = moments.tolist()
    variance = squares / n - (total / n) ** 2
    return math.sqrt(variance) if variance > _ROUNDING * squares / n else 0.0


@metric(
    "model_prediction_class_ratio",
    "Share of the predictions that named a class.",
    tasks=CLASSIFIERS,
    labels=("class",),
    group="output",
    on="predictions",
)
def prediction_class(window: Window) -> dict[str, float] | None:
    """Return class to its share of predictions."""
    counts = window.get("predicted")
    if counts is None or not counts.any():
        return None
    shares = (counts / counts.sum()).tolist()
    return dict(zip(window.schema.classes, shares, strict=True))


@metric(
    "model_latency_quantile_seconds",
    "Quantiles of the time that predictions took, within 1 % of the value, in seconds.",
    labels=("quantile",),
    group="quantile",
    on="predictions",
    summary=True,
)
def latency_quantile(window: Window) -> dict[str, float] | None:
    """Return quantile to seconds."""
    counts = window.get("latency_bins")
    return None if counts is None else LATENCY_BINS.quantiles(counts, QUANTILES)
