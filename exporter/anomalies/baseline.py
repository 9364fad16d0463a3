"""What is usual at an hour of the week: a line within the hour, and the deviation from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

HOURS: Final = 168
FEWEST: Final = 60
"""Minutes of an hour of the week before anything is said of it."""
KEPT: Final = 0.9
"""An hour's past weighs so much less each week: what changes for good becomes usual."""


class Usual(NamedTuple):
    """What a minute is compared with."""

    mean: float
    deviation: float
    leverage: float = 0.0
    """Variance of the mean itself, in squared deviations: little is known at first."""


class Baseline:
    """Sums for each hour of the week; the memory does not grow.

    A line instead of a mean: where traffic rises all through an hour, its minutes are no noise.
    """

    def __init__(self) -> None:
        self._sums = np.zeros((HOURS, 6))
        self._week = np.full(HOURS, -1, np.int64)
        self._center: float | None = None

    def dump(self) -> dict[str, Any]:
        """Return what was learned as plain objects and arrays."""
        return {"sums": self._sums.copy(), "week": self._week.copy(), "center": self._center}

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take what was dumped."""
        self._sums, self._week = dumped["sums"], dumped["week"]
        self._center = dumped["center"]

    def learn(self, minute: int, value: float) -> None:
        """Take the value of a minute; ``minute`` counts from the Unix epoch."""
        if self._center is None:
            self._center = value
        hour, week, at = _place(minute)
        sums = self._sums[hour]
        if week != self._week[hour]:
            self._week[hour] = week
            sums *= KEPT
        x = value - self._center
        sums += (1.0, at, at * at, x, x * x, at * x)

    def usual(self, minute: int) -> Usual | None:
        """Return what is usual at ``minute``, ``None`` while too little is known of its hour."""
        hour, _, at = _place(minute)
        n, t, tt, x, xx, tx = self._sums[hour].tolist()
        if n < FEWEST or self._center is None:
            return None
        spread = tt - t * t / n
        slope = (tx - t * x / n) / spread if spread > 0 else 0.0
        left = xx - x * x / n - slope * slope * spread
        mean = self._center + x / n + slope * (at - t / n)
        leverage = 1 / n + ((at - t / n) ** 2 / spread if spread > 0 else 0.0)
        return Usual(mean, math.sqrt(max(left, 0.0) / (n - 2)), leverage)


def _place(minute: int) -> tuple[int, int, float]:
    """Return the hour of the week, the week, and the distance from the middle of the hour."""
    hours, at = divmod(minute, 60)
    week, hour = divmod(hours, HOURS)
    return hour, week, at - 29.5
