"""Ranking quality from two histograms of scores, and how far binning can have moved it."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from exporter.edges import atoms

Floats = NDArray[np.float64]


class Ranking:
    """Scores of ``positives`` and ``negatives`` per bin of ``edges``; both must not be empty."""

    def __init__(self, positives: Floats, negatives: Floats, edges: Floats) -> None:
        self.positives = positives
        self.negatives = negatives
        self._coarse = ~atoms(edges)
        self.p = float(positives.sum())
        self.n = float(negatives.sum())

    @cached_property
    def _below(self) -> Floats:
        """Per bin the share of negatives that a positive in it outranks; ties count half."""
        below: Floats = np.cumsum(self.negatives) - self.negatives / 2
        return below / self.n

    @cached_property
    def _above(self) -> Floats:
        """Per bin the share of positives that outrank a negative in it; ties count half."""
        above: Floats = self.p - np.cumsum(self.positives) + self.positives / 2
        return above / self.p

    @cached_property
    def auc(self) -> float:
        """Area under the ROC curve: P(positive above negative), ties half (Mann-Whitney)."""
        return float(self.positives @ self._below) / self.p

    @cached_property
    def error_bound(self) -> float:
        """How far binning can have moved :attr:`auc`: 1/2 sum(P_b N_b) / (P N).

        Bins of one value are left out: their events are ties in truth.
        """
        pairs = self.positives[self._coarse] @ self.negatives[self._coarse]
        return float(pairs) / (2 * self.p * self.n)

    @cached_property
    def standard_error(self) -> float:
        """DeLong's standard error of :attr:`auc` (DeLong, DeLong and Clarke-Pearson 1988).

        Scores are taken to be even within a bin, which adds (N_b / n)^2 / 12 to the variance of a
        placement. 0 where a class has one event only.
        """
        variance = _variance(self.positives, self._below, self._within(self.negatives / self.n))
        other = _variance(self.negatives, self._above, self._within(self.positives / self.p))
        return math.sqrt(variance / self.p + other / self.n)

    @cached_property
    def average_precision(self) -> float:
        """The step sum of precision over recall, one step a bin, the highest first."""
        hits = np.cumsum(self.positives[::-1])
        taken = hits + np.cumsum(self.negatives[::-1])
        precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)
        return float(self.positives[::-1] @ precision) / self.p

    def _within(self, share: Floats) -> Floats:
        return np.where(self._coarse, np.square(share) / 12, 0.0)


def _variance(weights: Floats, placements: Floats, within: Floats) -> float:
    """Sample variance of placements, each of a bin's ``weights`` spread by ``within``."""
    n = float(weights.sum())
    if n < 2:
        return 0.0
    mean = float(weights @ placements) / n
    return float(weights @ (np.square(placements - mean) + within)) / (n - 1)
