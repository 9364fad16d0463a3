"""Which metrics are shown in which windows."""

from __future__ import annotations

from typing import Final

from exporter.config import WindowSpec
from exporter.config.settings import DriftSettings
from exporter.registry import Metric

DRIFT_SECONDS: Final = 3600.0
"""Drift is shown in windows of at least this length, unless others are configured."""


def shown(metric: Metric, spec: WindowSpec, drift: DriftSettings) -> bool:
    """Return whether a metric is shown in a window."""
    if spec.seconds is None and metric.on != "labels":
        return False
    if metric.distance is not None and metric.distance not in drift.distances:
        return False
    return not metric.drift or drifts(spec, drift)


def drifts(spec: WindowSpec, drift: DriftSettings) -> bool:
    """Return whether a window is compared with the reference."""
    if drift.windows is not None:
        return spec.name in drift.windows
    return spec.seconds is not None and spec.seconds >= DRIFT_SECONDS
