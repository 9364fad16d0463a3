"""Metrics of each class: of multiclass models, and of binary ones where configured."""

from __future__ import annotations

from typing import Final

import numpy as np

from exporter.metrics.totals import cells
from exporter.registry import CLASSIFIERS, Floats, metric
from exporter.window import Window

MOST_CONFUSION: Final = 10
"""With more classes the confusion of a window would be too many series."""


def _per_class(window: Window, part: Floats, whole: Floats) -> dict[str, float]:
    """Return class to ``part / whole``, without the classes where that is undefined."""
    names = window.schema.classes
    return {names[k]: float(part[k] / whole[k]) for k in np.flatnonzero(whole)}


def _cells(window: Window) -> Floats | None:
    wanted = window.schema.task == "multiclass" or window.per_class
    return window.get("confusion") if wanted else None


@metric(
    "model_class_precision_ratio",
    "Share of the predictions of a class that were right.",
    tasks=CLASSIFIERS,
    labels=("class",),
    group="class",
)
def class_precision(window: Window) -> dict[str, float] | None:
    """Return class to precision."""
    counts = _cells(window)
    if counts is None:
        return None
    return _per_class(window, np.diag(counts), counts.sum(axis=0))


@metric(
    "model_class_recall_ratio",
    "Share of the labels of a class that were predicted.",
    tasks=CLASSIFIERS,
    labels=("class",),
    group="class",
)
def class_recall(window: Window) -> dict[str, float] | None:
    """Return class to recall."""
    counts = _cells(window)
    if counts is None:
        return None
    return _per_class(window, np.diag(counts), counts.sum(axis=1))


@metric(
    "model_class_f1_ratio",
    "Harmonic mean of a class's precision and recall.",
    tasks=CLASSIFIERS,
    labels=("class",),
    group="class",
)
def class_f1(window: Window) -> dict[str, float] | None:
    """Return class to F1."""
    counts = _cells(window)
    if counts is None:
        return None
    return _per_class(window, 2 * np.diag(counts), counts.sum(axis=0) + counts.sum(axis=1))


@metric(
    "model_window_confusion",
    "Labels that joined in the window by true and by predicted class, up to 10 classes.",
    tasks=CLASSIFIERS,
    labels=("actual", "predicted"),
    group="confusion",
)
def window_confusion(window: Window) -> dict[tuple[str, str], float] | None:
    """Return every cell of the known classes."""
    return cells(window) if len(window.schema.classes) <= MOST_CONFUSION else None
