"""Ranking quality from two histograms of scores, and how far binning can have moved it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from exporter.edges import atoms

Floats = NDArray[np.float64]


class Rankings:
    """K rankings: (K, B) counts of ``positives`` and ``negatives`` per bin of (K, B - 1) ``edges``.

    No row of either may be empty. Results have shape (K,).
    """

    def __init__(self, positives: Floats, negatives: Floats, edges: Floats) -> None:
        self.positives = positives
        self.negatives = negatives
        self._coarse = ~atoms(edges)
        self.p: Floats = positives.sum(axis=1)
        self.n: Floats = negatives.sum(axis=1)

    @cached_property
    def _below(self) -> Floats:
        """Per bin the share of negatives that a positive in it outranks; ties count half."""
        below: Floats = np.cumsum(self.negatives, axis=1) - self.negatives / 2
        return below / self.n[:, None]

    @cached_property
    def _above(self) -> Floats:
        """Per bin the share of positives that outrank a negative in it; ties count half."""
        above: Floats = np.cumsum(self.positives, axis=1) - self.positives / 2
        return 1 - above / self.p[:, None]

    @cached_property
    def auc(self) -> Floats:
        """Area under the ROC curve: P(positive above negative), ties half (Mann-Whitney)."""
        return _dot(self.positives, self._below) / self.p

    @cached_property
    def error_bound(self) -> Floats:
        """How far binning can have moved :attr:`auc`: 1/2 sum(P_b N_b) / (P N).

        Bins of one value are left out: their events are ties in truth.
        """
        pairs = _dot(self.positives * self._coarse, self.negatives)
        return pairs / (2 * self.p * self.n)

    @cached_property
    def standard_error(self) -> Floats:
        """DeLong's standard error of :attr:`auc` (DeLong, DeLong and Clarke-Pearson 1988).

        Scores are taken to be even within a bin, which adds (N_b / n)^2 / 12 to the variance of a
        placement.
        """
        hidden = self._coarse / 12
        of_positives = np.square(self.negatives / self.n[:, None]) * hidden
        of_negatives = np.square(self.positives / self.p[:, None]) * hidden
        variance = _variance(self.positives, self._below, of_positives) / self.p
        return np.sqrt(variance + _variance(self.negatives, self._above, of_negatives) / self.n)

    @cached_property
    def average_precision(self) -> Floats:
        """The step sum of precision over recall, one step a bin, the highest first."""
        falling = self.positives[:, ::-1]
        hits = np.cumsum(falling, axis=1)
        taken = hits + np.cumsum(self.negatives[:, ::-1], axis=1)
        return _dot(falling, hits / np.maximum(taken, 1)) / self.p


def _dot(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.einsum("kb,kb->k", one, other))


def _variance(weights: Floats, placements: Floats, hidden: Floats) -> Floats:
    """Sample variance of placements, each of a bin's ``weights`` spread by ``hidden``."""
    n = weights.sum(axis=1)
    mean = _dot(weights, placements) / n
    spread = np.square(placements - mean[:, None]) + hidden
    return np.asarray(_dot(weights, spread) / np.maximum(n - 1, 1))
