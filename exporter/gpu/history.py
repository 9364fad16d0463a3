"""Use and throttling of one GPU over the windows: samples as counts, whose panes add."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from exporter.config import WindowSpec
from exporter.gpu.device import REASONS, Sample
from exporter.logbins import Floats
from exporter.panes import Sums
from exporter.usage import SHARES

PERCENTS: Final = 101
"""Drivers tell use in whole percent: a bin for each keeps it exactly."""
_TOLD = PERCENTS
_REASONS = slice(PERCENTS + 1, PERCENTS + 1 + len(REASONS))
_ANY = _REASONS.stop
_SIZE = _ANY + 1


class History:
    """Samples of one GPU in the panes of all time windows; time is given, never read."""

    def __init__(self, windows: Iterable[WindowSpec], now: float) -> None:
        """Windows over a number of labels have no samples, and are left out."""
        self._windows = {w.name: w.seconds for w in windows if w.seconds is not None}
        self._sums = Sums(_SIZE, self._windows, now)

    def add(self, sample: Sample, now: float) -> None:
        """Count one sample at ``now``."""
        one = np.zeros(_SIZE)
        for use in _uses(sample):
            one[round(use * (PERCENTS - 1))] += 1
        if sample.throttled:
            one[_TOLD] = 1
            one[_REASONS] = [sample.throttled.get(reason, 0) for reason in REASONS]
            one[_ANY] = any(sample.throttled.values())
        self._sums.add(one, now)

    def use(self, now: float) -> dict[str, dict[str, float]]:
        """Return the quantiles (``SHARES``) of use, 0 to 1, in each window that has samples."""
        found = {}
        for name in self._windows:
            counts = self._sums.window(name, now)[0][:PERCENTS]
            if counts.any():
                found[name] = _quantiles(counts, SHARES)
        return found

    def throttled(self, now: float) -> dict[str, dict[str, float]]:
        """Return the share of each window in which each reason held, and ``any`` of them.

        Reasons that never held are left out, windows without samples too.
        """
        found = {}
        for name in self._windows:
            counts = self._sums.window(name, now)[0]
            if counts[_TOLD]:
                shares = dict(zip((*REASONS, "any"), counts[_TOLD + 1 :], strict=True))
                found[name] = {r: float(n / counts[_TOLD]) for r, n in shares.items() if n}
        return found


def _uses(sample: Sample) -> Sequence[float]:
    if sample.recorded is not None:
        return sample.recorded
    return () if sample.utilization_ratio is None else (sample.utilization_ratio,)


def _quantiles(counts: Floats, shares: Sequence[float]) -> dict[str, float]:
    """Return the value of rank ``floor(share * (n - 1))``, counted from 0, of each share."""
    running = np.cumsum(counts)
    ranks = np.floor(np.array(shares) * (running[-1] - 1))
    places = np.searchsorted(running, ranks, side="right") / (PERCENTS - 1)
    return {str(share): float(place) for share, place in zip(shares, places, strict=True)}
