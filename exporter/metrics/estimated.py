"""Quality before labels come, from calibrated scores.

Confidence-based performance estimation: where a calibrated score says that an event is positive
with probability c, it counts as c of a positive and 1 - c of a negative. The expected cells of
the confusion matrix give the metrics. It holds while P(label given score) is the reference's.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from exporter.curves import Rankings
from exporter.estimates import Mean
from exporter.metrics.classification import ratio
from exporter.registry import CLASSIFIERS, Floats, metric
from exporter.window import Window, once

PRESENT: Final = 0.5
"""A class is present from half an expected label on."""


class Margins(NamedTuple):
    """Expected hits, predictions and expected labels of each class of interest, and all events.

    Of a binary model that is the positive class alone.
    """

    hits: Floats
    predicted: Floats
    actual: Floats
    correct: float
    events: float


@once
def margins(window: Window) -> Margins | None:
    """Return what is expected of a window's events with scores; ``None`` where nothing is."""
    found = _binary(window) if window.schema.task == "binary" else _multiclass(window)
    return found if found is not None and found.events > 0 else None


@once
def _split(window: Window) -> tuple[Floats, Floats] | None:
    """Return a binary model's expected positives and negatives: (predicted class, bin)."""
    bins, table = window.get("predicted_score_bins"), window.schema.calibration
    if bins is None or table is None or window.schema.positive_code is None:
        return None
    return bins * table[0], bins * (1 - table[0])


def _binary(window: Window) -> Margins | None:
    pair, code = _split(window), window.schema.positive_code
    if pair is None:
        return None
    positives, negatives = pair[0].sum(axis=1), pair[1].sum(axis=1)
    hits = positives[code]
    correct = hits + negatives.sum() - negatives[code]
    return Margins(
        np.array([hits]),
        np.array([hits + negatives[code]]),
        np.array([positives.sum()]),
        float(correct),
        float(positives.sum() + negatives.sum()),
    )


def _multiclass(window: Window) -> Margins | None:
    sums = window.get("expected_classes")
    if sums is None:
        return None
    there = (sums[:, 1] > 0) | (sums[:, 2] >= PRESENT)
    hits, predicted, actual = sums[there].T
    return Margins(hits, predicted, actual, float(sums[:, 0].sum()), float(sums[:, 1].sum()))


def _share(window: Window, part: Floats, whole: Floats) -> float | None:
    """Return part / whole: of the positive class, or the mean over the classes present."""
    if window.schema.task == "binary" and not whole[0]:
        return None
    return float(ratio(part, whole).mean()) if len(whole) else None


@metric(
    "model_estimated_accuracy_ratio",
    "Accuracy as calibrated scores expect it, without labels.",
    tasks=CLASSIFIERS,
    on="predictions",
)
def accuracy(window: Window) -> float | None:
    """Return the expected share of right predictions."""
    found = margins(window)
    return found and found.correct / found.events


@metric(
    "model_estimated_precision_ratio",
    "Precision as calibrated scores expect it, without labels; multiclass: mean over classes.",
    tasks=CLASSIFIERS,
    on="predictions",
)
def precision(window: Window) -> float | None:
    """Return expected TP / (TP + FP), or its macro average."""
    found = margins(window)
    return found and _share(window, found.hits, found.predicted)


@metric(
    "model_estimated_recall_ratio",
    "Recall as calibrated scores expect it, without labels; multiclass: mean over classes.",
    tasks=CLASSIFIERS,
    on="predictions",
)
def recall(window: Window) -> float | None:
    """Return expected TP / (TP + FN), or its macro average."""
    found = margins(window)
    return found and _share(window, found.hits, found.actual)


@metric(
    "model_estimated_f1_ratio",
    "F1 as calibrated scores expect it, without labels; multiclass: mean over classes.",
    tasks=CLASSIFIERS,
    on="predictions",
)
def f1(window: Window) -> float | None:
    """Return expected 2 TP / (2 TP + FP + FN), or its macro average."""
    found = margins(window)
    return found and _share(window, 2 * found.hits, found.predicted + found.actual)


@metric(
    "model_estimated_roc_auc_ratio",
    "Area under the ROC curve as calibrated scores expect it; multiclass: mean over classes.",
    tasks=CLASSIFIERS,
    on="predictions",
)
def roc_auc(window: Window) -> float | None:
    """Return the AUC of expected positives against expected negatives."""
    pair = _sides(window)
    edges = window.schema.score_edges
    if pair is None or edges is None:
        return None
    fewest = 0.0 if window.schema.task == "binary" else PRESENT
    both = np.minimum(pair[0].sum(axis=1), pair[1].sum(axis=1))
    there = np.flatnonzero((both >= fewest) & (both > 0))
    if not len(there):
        return None
    return float(Rankings(pair[0][there], pair[1][there], edges[there]).auc.mean())


def _sides(window: Window) -> tuple[Floats, Floats] | None:
    """Return expected labels of a class, and of the others: (classes, bins)."""
    if window.schema.task == "binary":
        pair = _split(window)
        return pair and (pair[0].sum(axis=0, keepdims=True), pair[1].sum(axis=0, keepdims=True))
    bins = window.get("expected_class_bins")
    return None if bins is None else (bins[:, 0], bins[:, 1] - bins[:, 0])


@metric(
    "model_estimated_accuracy_gap_ratio",
    "Estimated minus realised accuracy, over the labelled events of the window.",
    tasks=CLASSIFIERS,
)
def accuracy_gap(window: Window) -> Mean | None:
    """Return the mean difference: away from 0 when P(label given score) has changed."""
    sums = window.get("expected_correct")
    if sums is None or not sums[0]:
        return None
    return Mean(int(sums[0]), float(sums[1]), float(sums[2]))
