"""How well scores rank: from histograms, with the bound of what binning can have moved."""

from __future__ import annotations

from exporter.curves import Ranking
from exporter.estimates import Normal
from exporter.registry import CLASSIFIERS, Floats, metric
from exporter.window import Window


def rankings(window: Window) -> list[Ranking]:
    """Return the ranking of the positive class, or one of each class that has both kinds."""
    edges = window.schema.score_edges
    if edges is None:
        return []
    if window.schema.task == "binary":
        return _ranking(*_positives(window), edges[0])
    bins = window["class_score_bins"]
    return [
        ranking
        for row, cuts in zip(bins, edges, strict=True)
        for ranking in _ranking(row[0], row[1] - row[0], cuts)
    ]


def _positives(window: Window) -> tuple[Floats, Floats]:
    """Return the histograms of the positive class and of the rest; empty ones if it is unknown."""
    bins, code = window["label_score_bins"], window.schema.positive_code
    if code is None or not len(bins):
        return bins[:0].sum(axis=0), bins[:0].sum(axis=0)
    return bins[code], bins.sum(axis=0) - bins[code]


def _ranking(positives: Floats, negatives: Floats, edges: Floats) -> list[Ranking]:
    both = positives.any() and negatives.any()
    return [Ranking(positives, negatives, edges)] if both else []


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


@metric(
    "model_roc_auc_ratio",
    "Area under the ROC curve; multiclass: mean of one class against the rest.",
    tasks=CLASSIFIERS,
)
def roc_auc(window: Window) -> Normal | float | None:
    """Return the AUC: for a binary model with DeLong's error."""
    found = rankings(window)
    if window.schema.task == "multiclass" or not found:
        return _mean([ranking.auc for ranking in found])
    one = found[0]
    n, rarer = int(one.p + one.n), int(min(one.p, one.n))
    return Normal(one.auc, one.standard_error, n, rarer, one.error_bound)


@metric(
    "model_roc_auc_error_bound",
    "How far the binning of scores can have moved model_roc_auc_ratio at most.",
    tasks=CLASSIFIERS,
)
def roc_auc_error_bound(window: Window) -> float | None:
    """Return the bound; for a multiclass model the mean of its classes' bounds."""
    return _mean([ranking.error_bound for ranking in rankings(window)])


@metric(
    "model_average_precision_ratio",
    "Step sum of precision over recall; multiclass: mean of one class against the rest.",
    tasks=CLASSIFIERS,
)
def average_precision(window: Window) -> float | None:
    """Return the average precision over the bins of the score."""
    return _mean([ranking.average_precision for ranking in rankings(window)])
