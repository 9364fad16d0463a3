"""Use of a resource over windows: one histogram of samples, whose panes add.

A scrape every 15 to 60 seconds misses the moment that killed a request; samples taken far more
often, and kept as counts, do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from exporter.config import WindowSpec
from exporter.logbins import LogBins
from exporter.panes import Sums

SHARES: Final = (0.5, 0.95, 1.0)
"""The quantiles that are shown: the usual, the high and the highest use."""


class Usage:
    """Samples of one use, in the panes of all time windows; time is given, never read."""

    def __init__(self, bins: LogBins, windows: Iterable[WindowSpec], now: float) -> None:
        """Windows over a number of labels have no samples, and are left out."""
        self._bins = bins
        self._windows = {w.name: w.seconds for w in windows if w.seconds is not None}
        self._sums = Sums(bins.size, self._windows, now)

    def add(self, value: float, now: float) -> None:
        """Count one sample (at least 0) at ``now``."""
        self._sums.add(self._bins.counts(np.array([value], np.float64)), now)

    def quantiles(self, now: float) -> dict[str, dict[str, float]]:
        """Return the ``SHARES`` of each window that has samples, as Prometheus writes them.

        The relative error is at most that of the bins.
        """
        found = {}
        for name in self._windows:
            counts, _ = self._sums.window(name, now)
            quantiles = self._bins.quantiles(counts, SHARES)
            if quantiles is not None:
                found[name] = quantiles
        return found
