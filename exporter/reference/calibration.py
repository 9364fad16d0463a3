"""How probable a class is at a given score, learned from a labelled reference.

An isotonic regression of the label on the score: shares of positives, made ascending by pooling
adjacent violators. A bin is worth what the scores of the reference in it are worth in the mean,
which is several times nearer to single scores than a regression on whole bins.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from exporter.curves import Rankings
from exporter.registry import Floats
from exporter.rows import Labels
from exporter.schema import Schema

FEWEST_OF_A_CLASS: Final = 10
"""With fewer labels of a class, or of all the others, nothing is learned about it."""
SEPARABLE: Final = 0.999
"""An AUC above which labels tell nothing of probabilities between 0 and 1."""


def calibrated(schema: Schema, labels: Labels | None) -> Schema:
    """Return ``schema`` with the calibration that labelled rows give, where there is one.

    A binary model has one row: the probability of the positive class in each score bin. A
    multiclass model has a row a class.
    """
    if labels is None or labels.label is None or schema.score_edges is None:
        return schema
    if schema.task == "binary":
        table = _binary(schema, schema.score_edges[0], labels.value, labels.label)
    else:
        table = _multiclass(schema.score_edges, labels.scores, labels.label)
    return schema if table is None else replace(schema, calibration=table)


def calibration(scores: Floats, truth: NDArray[np.bool_], edges: Floats) -> Floats | None:
    """Return the probability of each bin of ``edges``, ``None`` with too few labels.

    Where the score separates the classes almost perfectly, it is the score itself: to calibrate
    would be to claim certainty.
    """
    hits = int(np.count_nonzero(truth))
    if min(hits, len(truth) - hits) < FEWEST_OF_A_CLASS:
        return None
    values, places, times = np.unique(scores, return_inverse=True, return_counts=True)
    weights = times.astype(np.float64)
    positives = _sums(places, truth, len(values))
    if _auc(positives, weights, values) > SEPARABLE:
        return bin_means(scores, edges)
    fitted = isotonic(positives, weights, values)
    bins = edges.searchsorted(values, side="right")
    counts, sums = (_sums(bins, one, len(edges) + 1) for one in (weights, fitted * weights))
    between = np.asarray(np.interp(bin_means(scores, edges), values, fitted))
    return np.asarray(np.divide(sums, counts, out=between, where=counts > 0))


def bin_means(scores: Floats, edges: Floats) -> Floats:
    """Return the mean of the scores in each bin; the middle of a bin without any."""
    ends = np.concatenate(([0.0], edges, [1.0]))
    middles = (ends[1:] + ends[:-1]) / 2
    bins = edges.searchsorted(scores, side="right")
    counts, sums = (_sums(bins, one, len(middles)) for one in (np.ones(len(scores)), scores))
    return np.asarray(np.divide(sums, counts, out=middles, where=counts > 0))


def isotonic(positives: Floats, counts: Floats, at: Floats) -> Floats:
    """Return the ascending probabilities that fit ``positives`` of ``counts`` best.

    Pooling of adjacent violators (Ayer et al. 1955). Where there are no counts they lie on the
    line between their neighbours, by the ascending scores ``at``.
    """
    known = np.flatnonzero(counts)
    if not len(known):
        return np.zeros(len(counts))
    weights = counts[known]
    fitted = isotonic_regression(positives[known] / weights, weights=weights).x
    return np.asarray(np.interp(at, at[known], np.clip(fitted, 0.0, 1.0)))


def _binary(
    schema: Schema, edges: Floats, scores: Floats | None, label: NDArray[np.int64]
) -> Floats | None:
    if scores is None or schema.positive_code is None:
        return None
    known = ~np.isnan(scores)
    table = calibration(scores[known], label[known] == schema.positive_code, edges)
    return None if table is None else table.reshape(1, -1)


def _multiclass(edges: Floats, scores: Floats | None, label: NDArray[np.int64]) -> Floats | None:
    """Return a row a class; one of too few labels keeps its scores. ``None`` if all are such."""
    if scores is None:
        return None
    known = ~np.isnan(scores[:, 0])
    wide = np.zeros((np.count_nonzero(known), len(edges)))
    wide[:, : scores.shape[1]] = scores[known]
    rows = [calibration(wide[:, k], label[known] == k, row) for k, row in enumerate(edges)]
    if all(row is None for row in rows):
        return None
    return np.array(
        [bin_means(wide[:, k], edges[k]) if row is None else row for k, row in enumerate(rows)]
    )


def _auc(hits: Floats, every: Floats, values: Floats) -> float:
    pair = Rankings(hits[None], (every - hits)[None], values[None, 1:])
    return float(pair.auc[0])


def _sums(places: NDArray[np.int64], values: NDArray[Any], size: int) -> Floats:
    return np.bincount(places, values, minlength=size).astype(np.float64)
