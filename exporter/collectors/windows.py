"""Every metric over every window, with its certainty."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from exporter.config import WindowSpec
from exporter.estimates import Estimate
from exporter.families import Family
from exporter.monitor import Monitor
from exporter.registry import METRICS, Metric, label_values
from exporter.showing import shown
from exporter.window import Window

AT_ONCE: Final = 20
"""Models copied together: a few milliseconds of work."""


@dataclass(frozen=True)
class _View:
    """What one model version shows, copied while no event was being counted."""

    labels: dict[str, str]
    windows: list[tuple[WindowSpec, Window]]


class WindowsCollector:
    """Gauges over windows of all models."""

    name = "windows"

    def __init__(self, monitor: Monitor, clock: Callable[[], float]) -> None:
        self._monitor = monitor
        self._clock = clock

    def collect(self) -> Iterable[Family]:
        """Return the families of all registered metrics and their bounds."""
        views = list(self._views())
        drift = self._monitor.settings.drift
        bounds = Family(
            "model_metric_confidence_bound",
            "Bound of the 95 % interval around a metric of this window.",
            "gauge",
            "bound",
        )
        for metric in METRICS.values():
            family = Family(
                metric.name, metric.help, "summary" if metric.summary else "gauge", metric.group
            )
            for view in views:
                for spec, window in view.windows:
                    if window.schema.task in metric.tasks and shown(metric, spec, drift):
                        _add(family, bounds, metric, window, {**view.labels, "window": spec.name})
            yield family
        yield bounds

    def _views(self) -> Iterable[_View]:
        with self._monitor.lock:
            models = list(self._monitor.models)
        for start in range(0, len(models), AT_ONCE):
            # Held for some models at a time: a scrape must not hold up events for long, and must
            # not wait for a batch of events before each model either.
            with self._monitor.lock:
                now = self._clock()
                for model in models[start : start + AT_ONCE]:
                    windows = list(model.counts.all_windows(now)) if model.counts else []
                    yield _View({"model": model.name, "version": model.version}, windows)


def _add(
    family: Family, bounds: Family, metric: Metric, window: Window, labels: dict[str, str]
) -> None:
    value = metric.value(window)
    if isinstance(value, Estimate):
        interval = value.interval()
        if interval is not None:
            for bound, at in zip(("lower", "upper"), interval, strict=True):
                bounds.add({**labels, "metric": metric.key, "bound": bound}, at)
        value = value.value
    if isinstance(value, Mapping):
        for key, one in value.items():
            names: dict[str, str] = dict(zip(metric.labels, label_values(key), strict=True))
            family.add({**labels, **names}, one)
    elif value is not None:
        family.add(labels, value)
