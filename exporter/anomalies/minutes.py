"""The series that are watched: a few sums for each minute, closed when it is over."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from exporter.layout import Layout
from exporter.registry import Floats

MINUTE: Final = 60.0
LONGEST_GAP: Final = 60
"""Minutes; after a longer one (a machine that slept) what lay between is not known."""


@dataclass(frozen=True)
class Minute:
    """One minute; ``number`` counts from the epoch of the clock that was given."""

    number: int
    values: dict[str, float]
    """Signal to value; a signal without events in the minute has none."""


def _mean(total: float, count: float) -> float | None:
    return total / count if count > 0 and math.isfinite(total) else None


SIGNALS: Final[dict[str, Callable[[list[float]], float | None]]] = {
    "request_rate": lambda sums: sums[0],
    "latency": lambda sums: _mean(sums[2], sums[1]),
    "prediction_mean": lambda sums: _mean(sums[4], sums[3]),
    "missing_share": lambda sums: _mean(sums[6], sums[5]),
}
"""Signal to its value: predictions a minute, mean seconds, mean output, share of values."""


class Minutes:
    """Sums of the open minute, and the minutes that closed since they were last taken."""

    def __init__(self, now: float) -> None:
        self._open = np.zeros(7)
        self._number = _number(now)
        self._partial = True
        self._closed: deque[Minute] = deque(maxlen=LONGEST_GAP)

    def add(self, layout: Layout, summary: Floats, now: float) -> None:
        """Add what was folded at ``now``."""
        self._advance(_number(now))
        self._open += _sums(layout, summary)

    def take(self, now: float) -> list[Minute]:
        """Return the minutes that have closed, oldest first; each is returned once."""
        self._advance(_number(now))
        taken = list(self._closed)
        self._closed.clear()
        return taken

    def interrupt(self, now: float) -> None:
        """Take it that nobody counted until ``now``: no minute until then was whole."""
        self._number, self._partial = max(self._number, _number(now)), True
        self._open[:] = 0.0

    def dump(self) -> dict[str, Any]:
        """Return the open minute and those that were not taken, as plain objects and arrays."""
        closed = [(minute.number, minute.values) for minute in self._closed]
        return {
            "open": self._open.copy(),
            "number": self._number,
            "partial": self._partial,
            "closed": closed,
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take what was dumped."""
        self._open, self._number = dumped["open"], dumped["number"]
        self._partial = dumped["partial"]
        self._closed.extend(Minute(*one) for one in dumped["closed"])

    def _advance(self, number: int) -> None:
        if number <= self._number:
            return
        if number - self._number > LONGEST_GAP:
            self._number, self._partial = number, True
            self._open[:] = 0.0
            return
        while self._number < number:
            if not self._partial:
                self._closed.append(Minute(self._number, _values(self._open.tolist())))
            self._partial = False
            self._open[:] = 0.0
            self._number += 1


def _number(now: float) -> int:
    return math.floor(now / MINUTE)


def _values(sums: list[float]) -> dict[str, float]:
    values = {name: value(sums) for name, value in SIGNALS.items()}
    return {name: value for name, value in values.items() if value is not None}


def _sums(layout: Layout, summary: Floats) -> Floats:
    """Return predictions; count and sum of latency, of outputs; feature values and missing."""
    sums = np.zeros(7)
    predictions, latency = (
        layout.view(summary, "predictions"),
        layout.view(summary, "latency_seconds"),
    )
    outputs, features = layout.view(summary, "output_moments"), layout.view(summary, "features")
    if predictions is not None:
        sums[0] = predictions[0]
    if latency is not None:
        sums[1:3] = latency[:-1].sum(), latency[-1]
    if outputs is not None:
        sums[3:5] = outputs[0], outputs[1] + outputs[0] * layout.schema.center
    if features is not None:
        sums[5:7] = features.sum(axis=0)
    return sums
