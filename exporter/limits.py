"""Limits that a user configured, and whether the data say that a true value is beyond one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from exporter.config import Limit, Settings, WindowSpec
from exporter.decisions import alpha, breached
from exporter.estimates import Estimate
from exporter.registry import METRICS, Metric
from exporter.window import Window

LEVELS: Final = ("warning", "critical")


@dataclass(frozen=True)
class Decision:
    """One limit in one window, and the numbers that the decision rests on."""

    window: str
    metric: str
    bound: Literal["min", "max"]
    limit: float
    breached: bool | None
    """``None`` while there is too little data to decide."""
    value: float | None
    n: int
    tail: float | None
    """Probability of data at least this far beyond the limit, if the true value were at it."""
    alpha: float
    """The tail under which the decision alarms."""


def decide(
    windows: Iterable[tuple[WindowSpec, Window]],
    limits: Sequence[Limit],
    versions: int,
    settings: Settings,
) -> list[Decision]:
    """Return a decision for each limit in each window.

    All decisions of a model share one budget of false alarms, those of its other ``versions`` too.
    """
    tested = [
        (limit, METRICS["model_" + limit.metric]) for limit in limits if limit.bound != "drop"
    ]
    series = len(tested) * len(settings.windows) * versions
    if not tested:
        return []
    return [
        _decide(window, spec.name, limit, metric, series, settings.decision_interval)
        for spec, window in windows
        for limit, metric in tested
        if window.schema.task in metric.tasks
    ]


def _decide(
    window: Window, name: str, limit: Limit, metric: Metric, series: int, interval: float
) -> Decision:
    assert limit.bound != "drop"
    estimate = metric.value(window)
    known = isinstance(estimate, Estimate) and estimate.value is not None
    n = estimate.n if known else 0
    level = alpha(interval, series, n)
    return Decision(
        window=name,
        metric=limit.metric,
        bound=limit.bound,
        limit=limit.value,
        breached=breached(estimate, limit.bound, limit.value, level) if known else None,
        value=estimate.value if known else None,
        n=n,
        tail=estimate.tail(limit.value, limit.bound) if known else None,
        alpha=level,
    )
