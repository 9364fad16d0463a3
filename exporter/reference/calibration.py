"""How probable a class is at a given score, learned from a labelled reference.

Positives and counts per score bin, made monotonic by pooling adjacent violators: an isotonic
regression of the label on the score. Scores that are probabilities already are left as they are:
a calibration is taken only where it brings events that it has not seen nearer to the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from exporter.curves import Rankings
from exporter.registry import Floats
from exporter.rows import Labels
from exporter.schema import Schema

FEWEST_OF_A_CLASS: Final = 10
"""With fewer labels of a class, or of all the others, nothing is learned about it."""
SEPARABLE: Final = 0.999
"""An AUC above which labels tell nothing of probabilities between 0 and 1."""
FOLDS: Final = 10
GROUPS: Final = 10
"""Groups of equal size over which probabilities are compared with labels."""


@dataclass(frozen=True)
class ScoreBins:
    """Labelled scores in bins, dealt into folds: (folds, bins)."""

    edges: Floats
    positives: Floats
    counts: Floats
    sums: Floats
    """(bins,) sum of the scores."""

    @classmethod
    def of(cls, scores: Floats, truth: NDArray[np.bool_], edges: Floats) -> ScoreBins:
        """Return the bins of ``scores``; both classes are spread evenly over the folds."""
        size = len(edges) + 1
        place = edges.searchsorted(scores, side="right")
        cells = _folds(truth) * size + place
        counts, hits = (
            np.bincount(cells[which], minlength=FOLDS * size)
            .reshape(FOLDS, size)
            .astype(np.float64)
            for which in (slice(None), truth)
        )
        sums = np.bincount(place, scores, minlength=size).astype(np.float64)
        return cls(edges, hits, counts, sums)

    @cached_property
    def centers(self) -> Floats:
        """The mean score of each bin; the middle of a bin without events."""
        ends = np.concatenate(([0.0], self.edges, [1.0]))
        middles = (ends[1:] + ends[:-1]) / 2
        counts = self.counts.sum(axis=0)
        return np.asarray(np.divide(self.sums, counts, out=middles, where=counts > 0))

    @cached_property
    def calibrated(self) -> Floats:
        """The probability of each bin: the scores' own where labels tell nothing better."""
        if self.rarer < FEWEST_OF_A_CLASS or not self.improvable:
            return self.centers
        return isotonic(self.positives.sum(axis=0), self.counts.sum(axis=0), self.centers)

    @cached_property
    def rarer(self) -> float:
        """How many labels the rarer side has."""
        hits = float(self.positives.sum())
        return min(hits, float(self.counts.sum()) - hits)

    @cached_property
    def improvable(self) -> bool:
        """Whether calibrating brings held-out events nearer to the truth.

        Each fold is calibrated by the others; its error and that of the scores as they came are
        expected calibration errors over groups of equal size.
        """
        hits, every = self.positives.sum(axis=0), self.counts.sum(axis=0)
        if _auc(hits, every, self.edges) > SEPARABLE:
            return False
        held_out = np.zeros(len(every))
        for fold_hits, fold in zip(self.positives, self.counts, strict=True):
            held_out += fold * isotonic(hits - fold_hits, every - fold, self.centers)
        return _error(held_out, hits, every) < _error(self.sums, hits, every)


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


def isotonic(positives: Floats, counts: Floats, at: Floats) -> Floats:
    """Return the ascending probabilities that fit ``positives`` of ``counts`` best.

    Pooling of adjacent violators (Ayer et al. 1955). Empty bins lie on the line between their
    neighbours, by the scores ``at`` which the bins are.
    """
    known = np.flatnonzero(counts)
    if not len(known):
        return np.zeros(len(counts))
    blocks: list[list[float]] = []
    for p, n in zip(positives[known].tolist(), counts[known].tolist(), strict=True):
        blocks.append([p, n, 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    fitted = np.concatenate([np.full(int(size), p / n) for p, n, size in blocks])
    return np.asarray(np.interp(at, at[known], fitted))


def _binary(
    schema: Schema, edges: Floats, scores: Floats | None, label: NDArray[np.int64]
) -> Floats | None:
    if scores is None or schema.positive_code is None:
        return None
    known = ~np.isnan(scores)
    bins = ScoreBins.of(scores[known], label[known] == schema.positive_code, edges)
    if bins.rarer < FEWEST_OF_A_CLASS:
        return None
    return bins.calibrated.reshape(1, -1)


def _multiclass(edges: Floats, scores: Floats | None, label: NDArray[np.int64]) -> Floats | None:
    if scores is None:
        return None
    known = ~np.isnan(scores[:, 0])
    wide = np.zeros((np.count_nonzero(known), len(edges)))
    wide[:, : scores.shape[1]] = scores[known]
    every = [ScoreBins.of(wide[:, k], label[known] == k, row) for k, row in enumerate(edges)]
    if all(bins.rarer < FEWEST_OF_A_CLASS for bins in every):
        return None
    return np.array([bins.calibrated for bins in every])


def _folds(truth: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Deal events into folds, each class evenly; always the same way."""
    shuffle = np.random.default_rng(42)
    folds = np.empty(len(truth), np.int64)
    for side in (truth, ~truth):
        folds[side] = shuffle.permutation(np.count_nonzero(side)) % FOLDS
    return folds


def _auc(hits: Floats, every: Floats, edges: Floats) -> float:
    pair = Rankings(hits.reshape(1, -1), (every - hits).reshape(1, -1), edges.reshape(1, -1))
    return float(pair.auc[0])


def _error(expected: Floats, hits: Floats, every: Floats) -> float:
    """Return the mean distance of expected and observed share, over groups of equal size."""
    n = every.sum()
    group = ((np.cumsum(every) - every / 2) * GROUPS / n).astype(np.int64)
    return float(np.abs(np.bincount(group, expected - hits)).sum() / n)
