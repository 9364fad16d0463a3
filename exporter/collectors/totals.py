"""Counters and histograms over the life of each model, and its state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from exporter.families import Family
from exporter.labels import Labels
from exporter.model import ModelVersion
from exporter.monitor import Monitor
from exporter.registry import TOTALS, Total, label_values
from exporter.window import Window


class TotalsCollector:
    """What adds up over replicas in PromQL."""

    name = "totals"

    def __init__(self, monitor: Monitor, clock: Callable[[], float]) -> None:
        self._monitor = monitor
        self._clock = clock

    def collect(self) -> Iterable[Family]:
        """Return the totals, and the state of each model."""
        with self._monitor.lock:
            now = self._clock()
            models = list(self._monitor.models)
            views = [(_labels(m), m.counts.life(now)) for m in models if m.counts is not None]
            state = list(_state(self._monitor, models))
        yield from state
        for total in TOTALS.values():
            family = Family(
                total.name, total.help, "histogram" if total.edges else "counter", total.group
            )
            for labels, life in views:
                if life.schema.task in total.tasks:
                    _add(family, total, labels, life)
            yield family


def _labels(model: ModelVersion) -> Labels:
    return Labels.of({"model": model.name, "version": model.version})


def _add(family: Family, total: Total, labels: Labels, life: Window) -> None:
    value = total.value(life)
    if value is None:
        return
    if total.edges is not None:
        counts, of_values = value
        family.add_histogram(labels, total.edges, counts, of_values)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            family.add(labels.following(total.labels, label_values(key)), one)
    else:
        family.add(labels, value)


def _state(monitor: Monitor, models: Iterable[ModelVersion]) -> Iterable[Family]:
    info = Family("model_info", "A monitored model version.", "gauge")
    pending = Family("model_pending_predictions", "Predictions that wait for their label.", "gauge")
    waiting = Family("model_pending_labels", "Labels that wait for their prediction.", "gauge")
    predicted = Family(
        "model_last_prediction_timestamp_seconds", "When the last prediction arrived.", "gauge"
    )
    labelled = Family(
        "model_last_label_timestamp_seconds", "When the last label joined its prediction.", "gauge"
    )
    expired = Family(
        "model_predictions_expired_total",
        "Predictions that left before their label came.",
        "counter",
        "total",
    )
    orphaned = Family(
        "model_labels_orphaned_total",
        "Labels that left before their prediction came.",
        "counter",
        "total",
    )
    repeated = Family(
        "model_events_duplicate_total",
        "Events that repeated one already counted, and were ignored.",
        "counter",
        "total",
    )
    for model in models:
        labels = _labels(model)
        task = model.known.task
        if task is not None:
            info.add(labels.and_(("task", task), ("team", model.settings.team)), 1)
        pending.add(labels, model.owner.pending)
        waiting.add(labels, monitor.models.pending_labels(model))
        if model.activity.prediction is not None:
            predicted.add(labels, model.activity.prediction)
        if model.activity.label is not None:
            labelled.add(labels, model.activity.label)
        expired.add(labels.and_(("reason", "ttl")), model.owner.expired_ttl)
        expired.add(labels.and_(("reason", "capacity")), model.owner.expired_capacity)
        orphaned.add(labels, monitor.models.orphaned(model))
        repeated.add(labels, model.duplicates)
    yield from (info, pending, waiting, predicted, labelled, expired, orphaned, repeated)
