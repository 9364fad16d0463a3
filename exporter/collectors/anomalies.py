"""Anomalies of the series of each model: information, never a page."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.families import Family
from exporter.monitor import Monitor


class AnomaliesCollector:
    """Gauges of the signals that can be decided."""

    name = "anomalies"

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterable[Family]:
        """Return what was decided after the last minute."""
        with self._monitor.lock:
            states = [(m.name, m.version, m.anomalies.decided()) for m in self._monitor.models]
        detected = Family(
            "model_series_anomaly",
            "Whether the last minutes are unlike the same hour of earlier weeks.",
            "gauge",
            "output",
        )
        score = Family(
            "model_series_anomaly_score",
            "How near the last minutes are to being an anomaly, which they are from 1 on.",
            "gauge",
            "output",
        )
        for model, version, signals in states:
            for signal, one in signals.items():
                labels = {"model": model, "version": version, "signal": signal}
                detected.add(labels, one.detected)
                score.add(labels, one.score)
        yield detected
        yield score
