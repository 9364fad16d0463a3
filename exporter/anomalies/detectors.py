"""Detectors over standardised values, one a minute: small lasting changes and larger ones.

Each is a few numbers of state and says how near it is to its limit: at 1 it alarms.
"""

from __future__ import annotations

import math
from typing import Final

WEIGHT: Final = 0.1
EWMA_VARIANCE: Final = WEIGHT / (2 - WEIGHT)
"""Variance of the average of independent values of variance 1."""
EWMA_LIMIT: Final = 5.2
SLACK: Final = 1.0
CUSUM_LIMIT: Final = 13.0


class Ewma:
    """An exponentially weighted moving average (Roberts 1959), in its own deviations."""

    def __init__(self, mean: float = 0.0) -> None:
        self._mean = mean

    def dump(self) -> list[float]:
        """Return the state: what the constructor takes."""
        return [self._mean]

    def add(self, z: float) -> float:
        """Take a value; return abs(average) over its limit."""
        self._mean += WEIGHT * (z - self._mean)
        return abs(self._mean) / (EWMA_LIMIT * math.sqrt(EWMA_VARIANCE))


class Cusum:
    """Cumulative sums of what lies more than a slack above or below 0 (Page 1954)."""

    def __init__(self, above: float = 0.0, below: float = 0.0) -> None:
        self._above, self._below = above, below

    def dump(self) -> list[float]:
        """Return the state: what the constructor takes."""
        return [self._above, self._below]

    def add(self, z: float) -> float:
        """Take a value; return the larger sum over its limit."""
        # Bounded, so that it ends soon after a long change has ended.
        self._above = min(max(0.0, self._above + z - SLACK), 2 * CUSUM_LIMIT)
        self._below = min(max(0.0, self._below - z - SLACK), 2 * CUSUM_LIMIT)
        return max(self._above, self._below) / CUSUM_LIMIT
