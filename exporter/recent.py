"""The last hour of a few values of one model version, a value a minute: for a quick look.

In memory only: after a restart the hour begins anew. Prometheus keeps what is to be kept.
Takes 4.4 KB a model version, whatever comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from exporter.anomalies.minutes import MINUTE, Minute
from exporter.estimates import Estimate
from exporter.registry import METRICS
from exporter.window import Window

KEPT: Final = 60
"""Minutes."""
LARGEST: Final = 1e300
"""What is farther from 0 is left out: nobody could draw it."""
OF_MINUTES: Final = {"request_rate": "predictions", "latency": "latency_seconds"}
"""What is known of each minute by itself: predictions, and mean seconds."""
OF_WINDOW: Final = (
    "accuracy_ratio",
    "f1_ratio",
    "roc_auc_ratio",
    "estimated_accuracy_ratio",
    "mean_absolute_error",
    "root_mean_squared_error",
)
"""Metrics of the shortest window, as they are at the end of each minute."""
SERIES: Final = (*OF_MINUTES.values(), *OF_WINDOW)


class Recent:
    """A ring of minutes; time is given, never read."""

    def __init__(self) -> None:
        self._values = np.full((KEPT, len(SERIES)), np.nan)
        self._minutes = np.full(KEPT, -1, np.int64)
        self._looked = -math.inf

    def due(self, now: float) -> bool:
        """Return whether a minute has ended since a window was looked at."""
        return _ended(now) > self._looked

    def take(self, minutes: Iterable[Minute]) -> None:
        """Take what was counted in minutes that have closed."""
        for minute in minutes:
            values = minute.values.items()
            told = {OF_MINUTES[name]: value for name, value in values if name in OF_MINUTES}
            self._put(minute.number, told)

    def look(self, window: Window, now: float) -> None:
        """Take the metrics of ``window`` as the state at the end of the last minute."""
        self._looked = _ended(now)
        self._put(_ended(now), headline(window))

    def last(self, name: str, now: float) -> list[float | None]:
        """Return a series, the oldest minute first; ``None`` where a minute has no value.

        It begins with the first minute of the hour before ``now`` that has one.
        """
        ended = _ended(now)
        wanted = np.arange(ended - KEPT + 1, ended + 1)
        rows = wanted % KEPT
        values = self._values[rows, SERIES.index(name)]
        known = (self._minutes[rows] == wanted) & (np.abs(values) < LARGEST)
        first = int(known.argmax()) if known.any() else KEPT
        pairs = zip(values[first:].tolist(), known[first:].tolist(), strict=True)
        return [value if there else None for value, there in pairs]

    def _put(self, minute: int, values: Mapping[str, float]) -> None:
        row = minute % KEPT
        if self._minutes[row] != minute:
            self._values[row] = np.nan
            self._minutes[row] = minute
        for name, value in values.items():
            self._values[row, SERIES.index(name)] = value


def headline(window: Window) -> dict[str, float]:
    """Return the metrics of ``OF_WINDOW`` that this window defines."""
    found = {name: value_of(window, name) for name in OF_WINDOW}
    return {name: value for name, value in found.items() if value is not None}


def value_of(window: Window, name: str) -> float | None:
    """Return a metric (without ``model_``) of a window, ``None`` where it is not defined."""
    metric = METRICS[f"model_{name}"]
    if window.schema.task not in metric.tasks:
        return None
    value = window.value(metric)
    found: float | None = value.value if isinstance(value, Estimate) else value
    return found


def _ended(now: float) -> int:
    """Return the number of the last minute that is over."""
    return math.floor(now / MINUTE) - 1
