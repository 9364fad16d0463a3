"""All decisions of a model version, taken together: they share one budget of false alarms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from exporter import limits
from exporter.budget import series
from exporter.config import ModelSettings, Settings, WindowSpec
from exporter.decisions import LEVELS, SMALL, alpha
from exporter.drift import quality, rule
from exporter.drift.quality import QualityDecision
from exporter.drift.rule import DriftDecision
from exporter.drift.subjects import Kind
from exporter.drift.tolerance import caveat, tolerance
from exporter.limits import Decision
from exporter.reference.reference import Reference
from exporter.showing import drifts
from exporter.window import Window


@dataclass(frozen=True)
class Decisions:
    """What was decided, to be held until the next time."""

    limits: list[Decision] = field(default_factory=list)
    drift: list[DriftDecision] = field(default_factory=list)
    quality: list[QualityDecision] = field(default_factory=list)
    series: int = 0
    """Decision series that share the budget, over all versions."""
    caveat: str | None = None
    """Why nothing that rests on the reference has a critical level."""

    def drifted_features(self) -> dict[tuple[str, str], int]:
        """Return how many features drifted, by window and level, where that was decided."""
        found: dict[tuple[str, str], int] = {}
        for name in dict.fromkeys(one.window for one in self.drift):
            of_window = [one for one in self.drift if one.window == name]
            for level in LEVELS:
                count = rule.drifted(of_window, level)
                if count is not None:
                    found[name, level] = count
        return found


def decide(
    windows: Iterable[tuple[WindowSpec, Window]],
    model: ModelSettings,
    reference: Reference | None,
    versions: int,
    settings: Settings,
) -> Decisions:
    """Return all decisions about one of a model's ``versions``."""
    every = list(windows)
    if not every:
        return Decisions()
    against = every[0][1].reference
    wanted = limits.tested(model, against)
    compared = [
        window
        for spec, window in every
        if window.reference is not None and drifts(spec, settings.drift)
    ]
    total = series(
        every[0][1].schema,
        windows=len(every),
        compared=compared,
        limits=len({(one.metric.name, one.bound) for one in wanted}),
        versions=versions,
    )
    found = Decisions(series=total)
    reason = caveat(reference) if reference is not None else None
    allowed = partial(alpha, settings.decision_interval, total)
    drifting = []
    for spec, window in every:
        tolerated = None
        if reference is not None and window.reference is not None:
            tolerated = tolerance(reference, _length(spec, window), settings.drift)
        found.limits.extend(limits.decide(window, wanted, tolerated, allowed))
        if tolerated is not None and drifts(spec, settings.drift):
            drifting.append(rule.Asked(window, tolerated))
            found.quality.extend(quality.decide(window, (allowed(SMALL), allowed(0)), SMALL))
    found.drift.extend(rule.decide(drifting, allowed, _kinds(model)))
    return Decisions(found.limits, found.drift, found.quality, total, reason)


def _length(spec: WindowSpec, window: Window) -> float:
    """Return the seconds that a window covers: after a start it is shorter than it will be."""
    return window.span if spec.seconds is None else min(spec.seconds, window.span)


def _kinds(model: ModelSettings) -> tuple[Kind, ...]:
    """Labels that come for selected predictions only say nothing of all labels."""
    if model.labels.coverage == "selective":
        return ("feature", "prediction")
    return ("feature", "prediction", "label")
