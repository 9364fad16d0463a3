"""How well scores rank: from histograms, with the bound of what binning can have moved."""

from __future__ import annotations

import numpy as np

from exporter.curves import Rankings
from exporter.estimates import Normal
from exporter.registry import CLASSIFIERS, Floats, metric
from exporter.window import Window, once


@once
def rankings(window: Window) -> Rankings | None:
    """Return the ranking of the positive class, or one of each class, that has both kinds."""
    edges = window.schema.score_edges
    pair = _positives(window) if window.schema.task == "binary" else _one_against_rest(window)
    if edges is None or pair is None:
        return None
    both = np.flatnonzero(pair[0].any(axis=1) & pair[1].any(axis=1))
    if not len(both):
        return None
    return Rankings(pair[0][both], pair[1][both], edges[both])


def _positives(window: Window) -> tuple[Floats, Floats] | None:
    bins, code = window.get("label_score_bins"), window.schema.positive_code
    if bins is None or code is None:
        return None
    positives = bins[code : code + 1]
    return positives, bins.sum(axis=0) - positives


def _one_against_rest(window: Window) -> tuple[Floats, Floats] | None:
    bins = window.get("class_score_bins")
    return None if bins is None else (bins[:, 0], bins[:, 1] - bins[:, 0])


@metric(
    "model_roc_auc_ratio",
    "Area under the ROC curve; multiclass: mean of one class against the rest.",
    tasks=CLASSIFIERS,
)
def roc_auc(window: Window) -> Normal | float | None:
    """Return the AUC: for a binary model with DeLong's error."""
    found = rankings(window)
    if found is None:
        return None
    if window.schema.task == "multiclass":
        return float(found.auc.mean())
    p, n = int(found.p[0]), int(found.n[0])
    error, slack = float(found.standard_error[0]), float(found.error_bound[0])
    return Normal(float(found.auc[0]), error, p + n, min(p, n), slack)


@metric(
    "model_roc_auc_error_bound",
    "How far the binning of scores can have moved model_roc_auc_ratio at most.",
    tasks=CLASSIFIERS,
    group="bound",
)
def roc_auc_error_bound(window: Window) -> float | None:
    """Return the bound; for a multiclass model the mean of its classes' bounds."""
    found = rankings(window)
    return None if found is None else float(found.error_bound.mean())


@metric(
    "model_average_precision_ratio",
    "Step sum of precision over recall; multiclass: mean of one class against the rest.",
    tasks=CLASSIFIERS,
)
def average_precision(window: Window) -> float | None:
    """Return the average precision over the bins of the score."""
    found = rankings(window)
    return None if found is None else float(found.average_precision.mean())
