"""Every metric over every window, with its certainty."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Final

from exporter.config import WindowSpec
from exporter.config.settings import DriftSettings
from exporter.estimates import Estimate
from exporter.events import Task
from exporter.families import Family
from exporter.labels import Labels
from exporter.model import ModelVersion
from exporter.monitor import Monitor
from exporter.registry import METRICS, Metric, label_values
from exporter.showing import shown
from exporter.window import Window

AT_ONCE: Final = 20
"""Models copied together: a few milliseconds of work."""


COMPARED: Final = {"quality", "output"}
"""Of these groups the value in the reference is shown too."""


class WindowsCollector:
    """Gauges over windows of all models."""

    name = "windows"

    def __init__(self, monitor: Monitor, clock: Callable[[], float]) -> None:
        self._monitor = monitor
        self._clock = clock

    def collect(self) -> Iterable[Family]:
        """Return the families of all registered metrics and their bounds."""
        families = {one.name: _family(one) for one in METRICS.values()}
        bounds = Family(
            "model_metric_confidence_bound",
            "Bound of the 95 % interval around a metric of this window.",
            "gauge",
            "bound",
        )
        references = Family(
            "model_metric_reference",
            "Value of a metric in the reference of this window.",
            "gauge",
            "quality",
        )
        wanted = cache(partial(_metrics, self._monitor.settings.drift))
        for labels, spec, window in self._windows():
            for metric in wanted(spec, window.schema.task):
                _add(families[metric.name], bounds, metric, window, labels)
                if window.reference is not None and metric.group in COMPARED:
                    _refer(references, metric, window.reference, labels)
        return [*families.values(), bounds, references]

    def _windows(self) -> Iterator[tuple[Labels, WindowSpec, Window]]:
        """Return what each model shows, copied while no event was being counted."""
        with self._monitor.lock:
            models = list(self._monitor.models)
        for start in range(0, len(models), AT_ONCE):
            # Held for some models at a time: a scrape must not hold up events for long, and must
            # not wait for a batch of events before each model either.
            with self._monitor.lock:
                now = self._clock()
                copied = [
                    (_labels(model, spec), spec, window)
                    for model in models[start : start + AT_ONCE]
                    if model.counts is not None
                    for spec, window in model.counts.all_windows(now)
                ]
            yield from copied


def _labels(model: ModelVersion, spec: WindowSpec) -> Labels:
    return Labels.of({"model": model.name, "version": model.version, "window": spec.name})


def _metrics(drift: DriftSettings, spec: WindowSpec, task: Task | None) -> list[Metric]:
    """Return the metrics that a window of such a model shows."""
    return [one for one in METRICS.values() if task in one.tasks and shown(one, spec, drift)]


def _family(metric: Metric) -> Family:
    return Family(metric.name, metric.help, "summary" if metric.summary else "gauge", metric.group)


def _add(family: Family, bounds: Family, metric: Metric, window: Window, labels: Labels) -> None:
    value = metric.value(window)
    if isinstance(value, Estimate):
        interval = value.interval()
        if interval is not None:
            of_metric = "metric", metric.key
            bounds.add(labels.and_(of_metric, ("bound", "lower")), interval[0])
            bounds.add(labels.and_(of_metric, ("bound", "upper")), interval[1])
        value = value.value
    if isinstance(value, dict):
        for key, one in value.items():
            family.add(labels.following(metric.labels, label_values(key)), one)
    elif value is not None:
        family.add(labels, value)


def _refer(references: Family, metric: Metric, reference: Window, labels: Labels) -> None:
    if metric.labels or metric.drift:
        return
    value = reference.value(metric)
    if isinstance(value, Estimate):
        value = value.value
    if value is not None:
        references.add(labels.and_(("metric", metric.key)), value)
