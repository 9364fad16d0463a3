"""Metrics of a confusion matrix.

For a binary model they are about the positive class, and absent while it is unknown. For a
multiclass model they are means over the classes that are present in labels or predictions, with
0/0 taken as 0, as scikit-learn's macro average with ``zero_division=0``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from exporter.estimates import FScore, Proportion
from exporter.registry import BINARY, CLASSIFIERS, Floats, metric
from exporter.window import Window, once


class Counts(NamedTuple):
    """The four cells of a binary confusion matrix."""

    tp: int
    fp: int
    fn: int
    tn: int


@once
def positive_counts(window: Window) -> Counts | None:
    """Return the cells about the positive class, ``None`` while it is unknown."""
    cells = window.get("confusion")
    if cells is None or window.schema.positive is None:
        return None
    code = window.schema.positive_code
    everything = int(cells.sum())
    if code is None:  # known by configuration, but neither predicted nor true so far
        return Counts(0, 0, 0, everything)
    tp = int(cells[code, code])
    predicted, actual = int(cells[:, code].sum()), int(cells[code].sum())
    return Counts(tp, predicted - tp, actual - tp, everything - predicted - actual + tp)


def share(successes: float, n: float) -> Proportion | None:
    """Return the proportion, ``None`` of nothing."""
    return Proportion(int(successes), int(n)) if n else None


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return ``part / whole``, and 0 where ``whole`` is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _macro(window: Window, part: Floats, whole: Floats) -> float | None:
    """Return the mean of ``part / whole`` over the classes in labels or predictions."""
    cells = window["confusion"]
    present = (cells.sum(axis=0) + cells.sum(axis=1)) > 0
    return float(ratio(part, whole)[present].mean()) if present.any() else None


@metric("model_accuracy_ratio", "Share of predictions that were right.", tasks=CLASSIFIERS)
def accuracy(window: Window) -> Proportion | None:
    """Return correct / n, decided on true names."""
    return share(window.count("correct"), window.labels)


@metric(
    "model_balanced_accuracy_ratio",
    "Mean recall of the classes that labels name; absent while they name one only.",
    tasks=CLASSIFIERS,
)
def balanced_accuracy(window: Window) -> float | None:
    """Return the mean of recall over classes with labels."""
    cells = window.get("confusion")
    if cells is None:
        return None
    actual = cells.sum(axis=1)
    if np.count_nonzero(actual) < 2:
        return None
    return float(ratio(np.diag(cells), actual)[actual > 0].mean())


@metric(
    "model_precision_ratio",
    "Share of the positive predictions that were right; multiclass: mean over classes.",
    tasks=CLASSIFIERS,
)
def precision(window: Window) -> Proportion | float | None:
    """Return TP / (TP + FP), or its macro average."""
    if window.schema.task == "binary":
        counts = positive_counts(window)
        return counts and share(counts.tp, counts.tp + counts.fp)
    cells = window.get("confusion")
    return None if cells is None else _macro(window, np.diag(cells), cells.sum(axis=0))


@metric(
    "model_recall_ratio",
    "Share of the positive labels that were predicted; multiclass: mean over classes.",
    tasks=CLASSIFIERS,
)
def recall(window: Window) -> Proportion | float | None:
    """Return TP / (TP + FN), or its macro average."""
    if window.schema.task == "binary":
        counts = positive_counts(window)
        return counts and share(counts.tp, counts.tp + counts.fn)
    cells = window.get("confusion")
    return None if cells is None else _macro(window, np.diag(cells), cells.sum(axis=1))


@metric(
    "model_specificity_ratio",
    "Share of the negative labels that were predicted.",
    tasks=BINARY,
)
def specificity(window: Window) -> Proportion | None:
    """Return TN / (TN + FP)."""
    counts = positive_counts(window)
    return counts and share(counts.tn, counts.tn + counts.fp)


@metric(
    "model_f1_ratio",
    "Harmonic mean of precision and recall; multiclass: mean over classes.",
    tasks=CLASSIFIERS,
)
def f1(window: Window) -> FScore | float | None:
    """Return 2 TP / (2 TP + FP + FN), or its macro average."""
    if window.schema.task == "binary":
        counts = positive_counts(window)
        n = counts.tp + counts.fp + counts.fn if counts else 0
        return FScore(counts.tp, n) if counts and n else None
    cells = window.get("confusion")
    if cells is None:
        return None
    return _macro(window, 2 * np.diag(cells), cells.sum(axis=0) + cells.sum(axis=1))


@metric(
    "model_matthews_correlation",
    "Matthews' correlation of labels and predictions; absent while either is constant.",
    tasks=CLASSIFIERS,
)
def matthews(window: Window) -> float | None:
    """Return Gorodkin's K-class correlation (2004); for two classes it is Matthews' (1975)."""
    cells = window.get("confusion")
    if cells is None:
        return None
    actual, predicted, n = cells.sum(axis=1), cells.sum(axis=0), cells.sum()
    spread = float(n * n - actual @ actual) * float(n * n - predicted @ predicted)
    if not spread:
        return None
    return float(np.trace(cells) * n - actual @ predicted) / math.sqrt(spread)
