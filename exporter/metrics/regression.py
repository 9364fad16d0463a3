"""Errors of a regression: prediction minus label."""

from __future__ import annotations

from typing import Final

from exporter.estimates import Mean, RootMean
from exporter.registry import REGRESSION, metric
from exporter.statistics.error_bins import ERROR_BINS
from exporter.window import Window

QUANTILES: Final = (0.5, 0.9, 0.99)
_ROUNDING: Final = 1e-10
"""A variance below this share of the squares around the centre is lost in rounding."""


def _errors(window: Window) -> tuple[int, list[float]] | None:
    """Return n and the sums of e, of its absolute value, of e^2 and of e^4."""
    sums = window.get("errors")
    if sums is None or not sums[0]:
        return None
    return int(sums[0]), sums[1:].tolist()


@metric("model_mean_absolute_error", "Mean absolute error.", tasks=REGRESSION)
def mean_absolute_error(window: Window) -> Mean | None:
    """Return the mean of abs(e)."""
    sums = _errors(window)
    return sums and Mean(sums[0], sums[1][1], sums[1][2])


@metric("model_root_mean_squared_error", "Root of the mean squared error.", tasks=REGRESSION)
def root_mean_squared_error(window: Window) -> RootMean | None:
    """Return the root of the mean of e^2."""
    sums = _errors(window)
    return sums and RootMean(sums[0], sums[1][2], sums[1][3])


@metric("model_mean_error", "Mean of prediction minus label: the bias.", tasks=REGRESSION)
def mean_error(window: Window) -> Mean | None:
    """Return the mean of e."""
    sums = _errors(window)
    return sums and Mean(sums[0], sums[1][0], sums[1][2])


@metric(
    "model_r_squared",
    "Share of the labels' variance that the predictions explain; absent while labels are constant.",
    tasks=REGRESSION,
)
def r_squared(window: Window) -> float | None:
    """Return 1 - sum(e^2) / sum((label - mean label)^2)."""
    sums, moments = _errors(window), window.get("label_moments")
    if sums is None or moments is None or moments[0] < 2:
        return None
    n, total, squares = moments.tolist()
    spread = squares - total * total / n
    return 1 - sums[1][2] / spread if spread > _ROUNDING * squares else None


@metric(
    "model_mean_absolute_percentage_error_ratio",
    "Mean of the absolute error over the absolute label; labels of 0 are skipped.",
    tasks=REGRESSION,
)
def mean_absolute_percentage_error(window: Window) -> Mean | None:
    """Return the mean of abs(e / label)."""
    sums = window.get("percentage_errors")
    if sums is None or not sums[0]:
        return None
    return Mean(int(sums[0]), float(sums[1]), float(sums[2]))


@metric(
    "model_absolute_error_quantile",
    "Quantiles of the absolute error, within 1 % of the value.",
    tasks=REGRESSION,
    labels=("quantile",),
    group="quantile",
    summary=True,
)
def absolute_error_quantile(window: Window) -> dict[str, float] | None:
    """Return quantile to absolute error."""
    counts = window.get("absolute_error_bins")
    return None if counts is None else ERROR_BINS.quantiles(counts, QUANTILES)
