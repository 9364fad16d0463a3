"""Logarithmic bins: quantiles of positive numbers with a guaranteed relative error.

Bin 0 holds exact zeros; bin ``i`` the values of ``(low * g**(i - 1), low * g**i]`` with
``g = (1 + error) / (1 - error)``. Answering ``2 * low * g**i / (g + 1)`` is then off by at most
``error`` of the value (Masson, Rim and Lee, "DDSketch", VLDB 2019, lemma 2). Values beyond the
range are counted in its first or last bin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class LogBins:
    """Bins of relative ``error`` from ``low`` to ``high``."""

    def __init__(self, low: float, high: float, error: float = 0.01) -> None:
        self.low = low
        self.ratio = (1 + error) / (1 - error)
        self._step = math.log(self.ratio)
        self.size = 1 + math.ceil(math.log(high / low) / self._step)
        """How many bins there are, the one of zeros included."""

    @cached_property
    def values(self) -> Floats:
        """What stands for the values of each bin."""
        powers = self.low * self.ratio ** np.arange(1, self.size)
        return np.concatenate(([0.0], 2 * powers / (self.ratio + 1)))

    def counts(self, values: Floats) -> Floats:
        """Return how many of ``values`` (at least 0, no NaN) fall into each bin."""
        positive = values[values > 0]
        places = np.ceil((np.log(positive) - math.log(self.low)) / self._step)
        codes = np.clip(places, 1, self.size - 1).astype(np.int64)
        filled = np.bincount(codes, minlength=self.size).astype(np.float64)
        filled[0] = len(values) - len(positive)
        return filled

    def quantiles(self, counts: Floats, shares: Sequence[float]) -> dict[str, float] | None:
        """Return each of ``shares``, as Prometheus writes it, to its quantile; ``None`` of nothing.

        A quantile is the value of rank ``floor(share * (n - 1))``, counted from 0.
        """
        running = np.cumsum(counts)
        if not running[-1]:
            return None
        ranks = [math.floor(share * (running[-1] - 1)) for share in shares]
        found = self.values[np.searchsorted(running, ranks, side="right")].tolist()
        return {str(share): value for share, value in zip(shares, found, strict=True)}
