"""The decisions that are held: limits, drift and data quality, with what they rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.deciding import Decisions
from exporter.drift.rule import DriftDecision
from exporter.families import Family
from exporter.labels import Labels
from exporter.monitor import Monitor

_SUBJECTS = {
    "feature": "the values of a feature",
    "prediction": "the outputs",
    "label": "the labels",
}


@dataclass(frozen=True)
class _View:
    labels: Labels
    decisions: Decisions


class DecisionsCollector:
    """What was decided about every model at the last decision."""

    name = "decisions"

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterable[Family]:
        """Return limits, effects and decisions."""
        with self._monitor.lock:
            views = [
                _View(Labels.of({"model": one.name, "version": one.version}), one.decisions)
                for one in self._monitor.models
            ]
        yield from _limits(views)
        for kind in _SUBJECTS:
            yield from _drift(views, kind)
        yield from _quality(views)
        yield _drifted(views)


def _gauge(name: str, help: str) -> Family:
    return Family(name, help, "gauge", "decision")


def _limits(views: Iterable[_View]) -> Iterable[Family]:
    limits = _gauge("model_metric_limit", "Limit of a metric in this window.")
    breached = _gauge(
        "model_metric_limit_breached",
        "Whether the data say that the true value of a metric is beyond its limit.",
    )
    for view in views:
        for decision in view.decisions.limits:
            labels = view.labels.and_(("window", decision.window), ("metric", decision.metric))
            for level in decision.levels:
                leveled = labels.and_(("bound", decision.bound), ("level", level))
                limits.add(leveled, decision.limit)
                if decision.breached is not None:
                    breached.add(leveled, decision.breached)
    yield from (limits, breached)


def _drift(views: Iterable[_View], kind: str) -> Iterable[Family]:
    what, stem = _SUBJECTS[kind], f"model_{kind}_drift"
    effects = _gauge(f"{stem}_effect", f"How far {what} lie from the reference: X / n_eff.")
    limits = _gauge(f"{stem}_limit", f"Effect above which {what} have drifted.")
    detected = _gauge(f"{stem}_detected", f"Whether the data say that {what} have drifted.")
    for view in views:
        for decision in view.decisions.drift:
            if decision.kind != kind:
                continue
            labels = _subject(view, decision)
            effects.add(labels, decision.effect)
            for level, found in decision.levels.items():
                leveled = labels.and_(("level", level))
                limits.add(leveled, found.limit)
                detected.add(leveled, found.detected)
    yield from (effects, limits, detected)


def _subject(view: _View, decision: DriftDecision) -> Labels:
    labels = view.labels.and_(("window", decision.window))
    return labels.and_(("feature", decision.name)) if decision.kind == "feature" else labels


def _quality(views: Iterable[_View]) -> Iterable[Family]:
    family = _gauge(
        "model_feature_quality_detected",
        "Whether more values of a feature are missing, or outside what the reference knows, than "
        "it can account for.",
    )
    for view in views:
        for decision in view.decisions.quality:
            labels = view.labels.and_(("window", decision.window), ("feature", decision.feature))
            for level in decision.levels:
                leveled = labels.and_(("problem", decision.problem), ("level", level))
                family.add(leveled, decision.detected)
    yield family


def _drifted(views: Iterable[_View]) -> Family:
    family = _gauge("model_drifted_features", "How many features have drifted.")
    for view in views:
        for (window, level), count in view.decisions.drifted_features().items():
            family.add(view.labels.and_(("window", window), ("level", level)), count)
    return family
