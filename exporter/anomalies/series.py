"""One series: its baseline, its detectors, and whether its last minutes are an anomaly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from exporter.anomalies.baseline import Baseline, Usual
from exporter.anomalies.detectors import EWMA_VARIANCE, Cusum, Ewma
from exporter.anomalies.minutes import Minute

LEARNING: Final = 14 * 1440
"""Minutes before anything is decided."""
SILENCE: Final = 60
"""Minutes without a value after which nothing is said any more."""
FARTHEST: Final = 8.0
"""Deviations; a value farther off counts as this far, so that no single minute is an anomaly."""
LEARNED: Final = 4.0
"""Deviations; an anomaly is learned as no farther off than this."""

Number = Callable[[float], float]


@dataclass(frozen=True)
class Scale:
    """How a signal is measured: on which scale, and the least deviation at a given mean."""

    into: Number = float
    back: Number = float
    least: Number = lambda mean: 1e-9 + 1e-3 * abs(mean)


SCALES: Final[dict[str, Scale]] = {
    # Counts of independent events deviate by at least the root of their mean.
    "request_rate": Scale(least=lambda mean: math.sqrt(max(mean, 1.0))),
    # Latencies are skewed: their logarithm is not.
    "latency": Scale(lambda x: math.log(max(x, 1e-6)), math.exp, lambda mean: 0.01),
    "missing_share": Scale(least=lambda mean: 0.01),
}


@dataclass(frozen=True)
class Anomaly:
    """The state of one signal after its last minute."""

    value: float
    usual: float
    score: float
    """How near the nearest detector is to its limit; from 1 on it is an anomaly."""

    @property
    def detected(self) -> bool:
        """Whether it is an anomaly."""
        return self.score >= 1


class Series:
    """One signal of one model version, minute by minute."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._baseline = Baseline()
        self._detectors = Ewma(), Cusum()
        self._first: int | None = None
        self._last = 0
        self.anomaly: Anomaly | None = None
        """``None`` while nothing can be decided."""

    def dump(self) -> dict[str, Any]:
        """Return the state as plain objects and arrays."""
        one = self.anomaly
        return {
            "baseline": self._baseline.dump(),
            "detectors": [detector.dump() for detector in self._detectors],
            "first": self._first,
            "last": self._last,
            "anomaly": None if one is None else [one.value, one.usual, one.score],
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take what was dumped."""
        self._baseline.load(dumped["baseline"])
        ewma, cusum = dumped["detectors"]
        self._detectors = Ewma(*ewma), Cusum(*cusum)
        self._first, self._last = dumped["first"], dumped["last"]
        self.anomaly = None if dumped["anomaly"] is None else Anomaly(*dumped["anomaly"])

    def take(self, number: int, value: float) -> None:
        """Take the value of minute ``number``; minutes come in order, some may lack."""
        self._first = number if self._first is None else self._first
        self.expire(number)
        self._last = number
        x = self._scale.into(value)
        usual = self._baseline.usual(number) if number - self._first >= LEARNING else None
        if usual is None:
            self.anomaly = None
        else:
            deviation = max(usual.deviation, self._scale.least(usual.mean))
            self._decide(value, x, usual, deviation)
            reach = LEARNED * deviation
            x = min(max(x, usual.mean - reach), usual.mean + reach)
        self._baseline.learn(number, x)

    def expire(self, number: int) -> None:
        """Say nothing any more after a long silence."""
        if number - self._last > SILENCE:
            self._detectors = Ewma(), Cusum()
            self.anomaly = None

    def _decide(self, value: float, x: float, usual: Usual, deviation: float) -> None:
        # The error of the baseline lasts for the hour: no average over minutes makes it smaller.
        deviation *= math.sqrt(1 + usual.leverage / EWMA_VARIANCE)
        z = min(max((x - usual.mean) / deviation, -FARTHEST), FARTHEST)
        score = max([detector.add(z) for detector in self._detectors])
        self.anomaly = Anomaly(value, self._scale.back(usual.mean), score)


class Anomalies:
    """All series of one model version."""

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}

    def dump(self) -> dict[str, Any]:
        """Return the state of each signal, by name."""
        return {name: series.dump() for name, series in self._series.items()}

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take what was dumped."""
        for name, state in dumped.items():
            self._series[name] = Series(SCALES.get(name, Scale()))
            self._series[name].load(state)

    def take(self, minutes: Iterable[Minute]) -> None:
        """Take closed minutes, oldest first."""
        for minute in minutes:
            for series in self._series.values():
                series.expire(minute.number)
            for name, value in minute.values.items():
                if name not in self._series:
                    self._series[name] = Series(SCALES.get(name, Scale()))
                self._series[name].take(minute.number, value)

    def decided(self) -> dict[str, Anomaly]:
        """Return signal to state, of those that can be decided."""
        found = {name: series.anomaly for name, series in self._series.items()}
        return {name: one for name, one in found.items() if one is not None}
