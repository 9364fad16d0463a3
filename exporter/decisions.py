"""When the data say that a true value is beyond a limit, at a stated rate of false alarms."""

from __future__ import annotations

from typing import Final, get_args, get_type_hints

from exporter.config.settings import DriftSettings
from exporter.estimates import Bound, Estimate
from exporter.registry import METRICS

FALSE_ALARMS_A_MONTH: Final = 0.5
MONTH_SECONDS: Final = 30 * 86400.0
SMALL: Final = 1000
"""Below so many events a fifth of the false-alarm rate is allowed: single events weigh more."""
FEWEST: Final = 200
"""Below so many events nothing is said to have drifted."""
LEAST_EFFECT: Final = 0.01
LEVELS: Final = ("warning", "critical")


def alpha(decision_interval: float, series: int, n: int) -> float:
    """Return the tail below which one decision of ``series`` alarms, resting on ``n`` events.

    All decisions of a month share ``FALSE_ALARMS_A_MONTH`` (a union bound, so that they need not
    be independent); ``decision_interval`` is in seconds.
    """
    budget = FALSE_ALARMS_A_MONTH * decision_interval / MONTH_SECONDS / max(series, 1)
    return budget if n >= SMALL else budget / 5


def least_effect(settings: DriftSettings) -> float:
    """Return the effect that never matters; without some there would be no promise."""
    return max(settings.min_effect, LEAST_EFFECT)


def judged(
    estimate: Estimate, bound: Bound, limit: float, alpha: float
) -> tuple[float | None, bool | None]:
    """Return the tail at ``limit``, and whether the true value is beyond it.

    ``None`` stands for what is not known: the tail of an undefined estimate, and what cannot be
    decided yet.
    """
    tail = estimate.tail(limit, bound)
    if tail is None or not estimate.decidable(limit, bound, alpha):
        return tail, None
    return tail, tail < alpha


def limit_metrics() -> frozenset[str]:
    """Return the keys of the metrics that can be tested against a limit: they return estimates."""
    return frozenset(one.key for one in METRICS.values() if _testable(one.value))


def _testable(value: object) -> bool:
    answer = get_type_hints(value)["return"]
    kinds = get_args(answer) or (answer,)
    return any(isinstance(kind, type) and issubclass(kind, Estimate) for kind in kinds)
