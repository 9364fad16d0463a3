"""How good probabilities are: losses and calibration."""

from __future__ import annotations

import numpy as np

from exporter.estimates import Mean
from exporter.registry import CLASSIFIERS, Floats, metric
from exporter.window import Window


def _loss(window: Window, column: int) -> Mean | None:
    """Return the mean of a loss: its columns if positive, and two further on if negative."""
    sums = window.get("probability_losses")
    if sums is None or window.schema.positive is None:
        return None
    code = window.schema.positive_code
    positive = np.zeros(9) if code is None else sums[code]
    negative = sums.sum(axis=0) - positive
    total = positive[column] + negative[column + 2]
    squares = positive[column + 1] + negative[column + 3]
    return _mean(positive[0] + negative[0], total, squares)


def _class_loss(window: Window, column: int) -> Mean | None:
    sums = window.get("class_probability_losses")
    return None if sums is None else _mean(sums[0], sums[column], sums[column + 1])


def _mean(n: float, total: float, squares: float) -> Mean | None:
    return Mean(int(n), float(total), float(squares)) if n else None


@metric(
    "model_brier_score",
    "Mean squared error of probabilities: 0 to 1; multiclass: summed over classes, 0 to 2.",
    tasks=CLASSIFIERS,
)
def brier(window: Window) -> Mean | None:
    """Return Brier's score."""
    return _loss(window, 1) if window.schema.task == "binary" else _class_loss(window, 1)


@metric(
    "model_log_loss",
    "Mean negative logarithm of the probability of the true class, clipped at 2.2e-16.",
    tasks=CLASSIFIERS,
)
def log_loss(window: Window) -> Mean | None:
    """Return the log loss, in nats."""
    return _loss(window, 5) if window.schema.task == "binary" else _class_loss(window, 3)


@metric(
    "model_expected_calibration_error_ratio",
    "Mean distance of probability and observed share over 10 equal bins.",
    tasks=CLASSIFIERS,
)
def expected_calibration_error(window: Window) -> float | None:
    """Return the ECE: of the positive class's score, or of a multiclass model's confidence."""
    triple = _score_bins(window) if window.schema.task == "binary" else _confidence_bins(window)
    if triple is None:
        return None
    n, expected, observed = triple
    return float(np.abs(observed - expected).sum() / n) if n else None


def _score_bins(window: Window) -> tuple[float, Floats, Floats] | None:
    bins = window.get("calibration")
    if bins is None or window.schema.positive is None:
        return None
    code = window.schema.positive_code
    observed = np.zeros(bins.shape[1]) if code is None else bins[code, :, 0]
    return float(bins[..., 0].sum()), bins[..., 1].sum(axis=0), observed


def _confidence_bins(window: Window) -> tuple[float, Floats, Floats] | None:
    bins = window.get("confidence")
    return None if bins is None else (float(bins[:, 0].sum()), bins[:, 1], bins[:, 2])
