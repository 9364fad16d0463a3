"""Limits of metrics, and whether the data say that a true value is beyond one.

A limit is what a user configured, or a drop from the reference's value; without any configured,
limits are derived from the reference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from exporter.config import Limit, ModelSettings
from exporter.decisions import LEVELS, judged
from exporter.drift.tolerance import Tolerance
from exporter.estimates import SURE, Bound, Estimate
from exporter.registry import METRICS, Metric
from exporter.window import Window

HIGHER_IS_WORSE: Final = frozenset(
    """brier_score log_loss mean_absolute_error root_mean_squared_error
    mean_absolute_percentage_error_ratio""".split()
)
TWO_SIDED: Final = frozenset({"mean_error", "estimated_accuracy_gap_ratio"})
DERIVED: Final = (
    "accuracy_ratio",
    "precision_ratio",
    "recall_ratio",
    "roc_auc_ratio",
    "brier_score",
    "mean_absolute_error",
    "root_mean_squared_error",
    "mean_error",
)
"""The metrics that a reference gives limits to."""
SELECTIVE: Final = frozenset({"precision_ratio"})
"""All that can be judged where labels come for selected predictions only."""
RARE_CLASS: Final = 0.05
"""With a class rarer than this, accuracy says little."""


class Decision(NamedTuple):
    """One limit in one window, and the numbers that the decision rests on."""

    window: str
    metric: str
    bound: Bound
    limit: float
    breached: bool | None
    """``None`` while there is too little data to decide."""
    value: float | None
    n: int
    tail: float | None
    """Probability of data at least this far beyond the limit, if the true value were at it."""
    alpha: float
    """The tail under which the decision alarms."""
    levels: tuple[str, ...] = LEVELS
    """The levels that this limit holds for."""
    reference: float | None = None
    """The reference's value."""
    source: str = "configured"
    """Where the limit comes from."""
    accountable: float | None = None
    """The bound of the reference's value that a derived limit starts from."""
    tolerated: float | None = None
    """How far beyond that the limit lies, for natural variability."""


@dataclass(frozen=True)
class Tested:
    """A metric that is held against a limit; ``drop`` is relative to the reference."""

    metric: Metric
    bound: Bound
    value: float | None = None
    drop: float | None = None


def tested(settings: ModelSettings, reference: Window | None) -> list[Tested]:
    """Return what is held against a limit: what is configured, else what a reference gives."""
    if settings.limits:
        found = [one for limit in settings.limits for one in _configured(limit)]
    else:
        found = [] if reference is None else _derived(reference)
    if settings.labels.coverage == "selective":
        found = [one for one in found if one.metric.key in SELECTIVE]
    return found


def decide(
    window: Window,
    wanted: Sequence[Tested],
    tolerance: Tolerance | None,
    alpha: Callable[[int], float],
) -> list[Decision]:
    """Return a decision for each limit that there is in a window, of several the strictest."""
    found = []
    for one in wanted:
        if window.schema.task not in one.metric.tasks:
            continue
        known = _estimate(one.metric, window.reference)
        if one.value is not None:
            found.append(_decision(window, one, one.value, LEVELS, known, alpha, "configured"))
        elif known is None or known.value is None:
            continue
        elif one.drop is not None:
            limit = known.value - one.drop if one.bound == "min" else known.value + one.drop
            found.append(_decision(window, one, limit, LEVELS, known, alpha, "drop"))
        elif tolerance is not None:
            found += _from_reference(window, one, known, tolerance, alpha)
    return _strictest(found)


def _strictest(found: Sequence[Decision]) -> list[Decision]:
    """Return one decision a series: a metric may have both a ``min`` and a ``drop``."""
    kept: dict[tuple[str, Bound, tuple[str, ...]], Decision] = {}
    for one in found:
        key = one.metric, one.bound, one.levels
        held = kept.get(key)
        if held is None or (one.limit > held.limit) == (one.bound == "min"):
            kept[key] = one
    return list(kept.values())


def accountable(known: Estimate, bound: Bound) -> float | None:
    """Return the reference's 1e-4 bound: beyond it no chance in the reference explains a value."""
    reach = known.reach(SURE)
    if reach is None or not all(map(math.isfinite, reach)):
        return None
    return reach[0] if bound == "min" else reach[1]


def _from_reference(
    window: Window,
    one: Tested,
    known: Estimate,
    tolerance: Tolerance,
    alpha: Callable[[int], float],
) -> list[Decision]:
    """Return a decision a level; the limit is moved by what windows vary of their own accord."""
    start = accountable(known, one.bound)
    if start is None:
        return []
    found = []
    for level in tolerance.metric_levels(one.metric.key):
        spread = math.sqrt(tolerance.variance(one.metric.key, level))
        limit = start - spread if one.bound == "min" else start + spread
        decision = _decision(window, one, limit, (level,), known, alpha, "reference")
        found.append(decision._replace(accountable=start, tolerated=spread))
    return found


def _decision(
    window: Window,
    one: Tested,
    limit: float,
    levels: tuple[str, ...],
    known: Estimate | None,
    alpha: Callable[[int], float],
    source: str,
) -> Decision:
    estimate = _estimate(one.metric, window)
    n = estimate.n if estimate is not None else 0
    level = alpha(n)
    tail = breached = None
    if estimate is not None:
        tail, breached = judged(estimate, one.bound, limit, level)
    return Decision(
        window=window.name,
        metric=one.metric.key,
        bound=one.bound,
        limit=limit,
        breached=breached,
        value=None if estimate is None else estimate.value,
        n=n,
        tail=tail,
        alpha=level,
        levels=levels,
        reference=known.value if known is not None else None,
        source=source,
    )


def _configured(limit: Limit) -> list[Tested]:
    metric = METRICS["model_" + limit.metric]
    if limit.bound != "drop":
        return [Tested(metric, limit.bound, value=limit.value)]
    return [Tested(metric, bound, drop=limit.value) for bound in _bounds(limit.metric)]


def _derived(reference: Window) -> list[Tested]:
    found = []
    for key in DERIVED:
        metric = METRICS["model_" + key]
        known = _estimate(metric, reference)
        if known is not None and not (key == "accuracy_ratio" and _has_rare_class(reference)):
            found += [Tested(metric, bound) for bound in _bounds(key)]
    return found


def _bounds(key: str) -> tuple[Bound, ...]:
    if key in TWO_SIDED:
        return ("min", "max")
    return ("max",) if key in HIGHER_IS_WORSE else ("min",)


def _has_rare_class(reference: Window) -> bool:
    """Return whether one of two classes has less than ``RARE_CLASS`` of the labels."""
    labels = reference["confusion"].sum(axis=1)
    return reference.schema.task == "binary" and float(labels.min()) < RARE_CLASS * labels.sum()


def _estimate(metric: Metric, window: Window | None) -> Estimate | None:
    if window is None or window.schema.task not in metric.tasks:
        return None
    value = window.value(metric)
    return value if isinstance(value, Estimate) and value.value is not None else None
