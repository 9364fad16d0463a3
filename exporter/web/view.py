"""A model as JSON: what a person needs to check a page at night."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporter.bins import FeatureCounts
from exporter.config import WindowSpec
from exporter.config.settings import DriftSettings
from exporter.estimates import Estimate
from exporter.model import ModelVersion
from exporter.models import Models
from exporter.reference.describe import described
from exporter.registry import METRICS
from exporter.showing import shown
from exporter.web.decisions import window_decisions
from exporter.window import Window


def model_view(models: Models, model: ModelVersion, now: float) -> dict[str, Any]:
    """Return everything known of one model version."""
    schema = model.known.schema
    windows = model.counts.all_windows(now) if model.counts is not None else ()
    return {
        "model": model.name,
        "version": model.version,
        "team": model.settings.team,
        "task": model.known.task,
        "classes": list(schema.classes) if schema else [],
        "positive_class": schema.positive if schema else None,
        "threshold": schema.threshold if schema else None,
        "features": list(schema.features) if schema else [],
        "last_prediction_timestamp_seconds": model.activity.prediction,
        "last_label_timestamp_seconds": model.activity.label,
        "pending": {
            "predictions": model.owner.pending,
            "labels": models.pending_labels(model),
        },
        "reference": _reference(model),
        "limits": [
            {"metric": limit.metric, limit.bound: limit.value} for limit in model.settings.limits
        ],
        "deciding": {
            "series": model.decisions.series,
            "no_critical_because": model.decisions.caveat,
        },
        "windows": {
            spec.name: _window(spec, window, model, models.settings.drift)
            for spec, window in windows
        },
        "anomalies": {
            signal: {
                "value": one.value,
                "usual": one.usual,
                "score": one.score,
                "detected": one.detected,
            }
            for signal, one in model.anomalies.decided().items()
        },
    }


def _window(
    spec: WindowSpec, window: Window, model: ModelVersion, drift: DriftSettings
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    bounds: dict[str, Any] = {}
    for metric in METRICS.values():
        if window.schema.task not in metric.tasks or not shown(metric, spec, drift):
            continue
        value = metric.value(window)
        if isinstance(value, Estimate):
            interval = value.interval()
            if interval is not None:
                bounds[metric.key] = dict(zip(("lower", "upper"), interval, strict=True))
            value = value.value
        if isinstance(value, Mapping):
            value = _nested(value)
        if value is not None and value != {}:
            values[metric.key] = value
    return {
        "span_seconds": window.span,
        "predictions": window.predictions,
        "labels": window.labels,
        "values": values,
        "features": {name: _feature(one) for name, one in window.features.items()},
        "bounds": bounds,
        **window_decisions(model.decisions, spec.name),
    }


def _feature(counts: FeatureCounts) -> dict[str, int]:
    """Tell what was counted of a feature; the rest lies where the reference does."""
    strange = counts.unseen + counts.mistyped
    return {
        "events": int(counts.total),
        "missing": int(counts.missing),
        "outside": int(counts.outside - strange),
        "unseen": int(counts.unseen),
        "other_type": int(counts.mistyped),
    }


def _reference(model: ModelVersion) -> dict[str, Any] | None:
    if model.reference is not None:
        return described(model.reference)
    if model.first is not None:
        return {
            "source": f"first {model.first.wanted} events",
            "gathered": model.first.rows,
            "wanted": model.first.wanted,
        }
    return None


def _nested(values: Mapping[Any, float]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(key, str):
            nested[key] = value
        else:
            *path, last = key
            inner = nested
            for name in path:
                inner = inner.setdefault(name, {})
            inner[last] = value
    return nested
