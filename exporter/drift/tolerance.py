"""What a window may differ from its reference: natural variability, and who may be paged.

Events inside a window are not independent, so that windows of a sound reference differ from each
other by more than chance. What a reference cannot tell about, nobody is paged for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from exporter.config.settings import DriftSettings
from exporter.decisions import LEVELS, least_effect
from exporter.reference.reference import WEEK, Reference, Variability

_NEARLY: Final = 0.99
"""A reference of a week lacks the time between its last event and the next."""


@dataclass(frozen=True)
class Tolerance:
    """What is tolerated in windows of one length."""

    factors: Mapping[str, float]
    """Level to the multiple of natural variability that is tolerated."""
    least: float
    """The drift effect that is tolerated in any case."""
    variability: Variability | None = None
    levels: tuple[str, ...] = LEVELS
    """The levels that the reference lets us decide."""
    caveat: str | None = None
    """Why there is no critical level."""

    def natural_effect(self, key: str) -> float | None:
        """Return the natural variability of a subject's drift effect, where it was measured."""
        return self.variability.effects.get(key) if self.variability is not None else None

    def effect(self, key: str, level: str) -> float:
        """Return the drift effect that does not matter."""
        return max(self.least, self.factors[level] * (self.natural_effect(key) or 0.0))

    def variance(self, metric: str, level: str) -> float:
        """Return the variance of a metric between windows that does not matter."""
        if self.variability is None:
            return 0.0
        return self.factors[level] * self.variability.variances.get(metric, 0.0)


def tolerance(reference: Reference, seconds: float | None, settings: DriftSettings) -> Tolerance:
    """Return what is tolerated in windows of ``seconds``; ``None`` for the last so many labels."""
    factors = {"warning": settings.warning, "critical": max(settings.critical, settings.warning)}
    # A window of so many labels may be short, and the shortest windows vary most.
    lengths = sorted(reference.variability) if seconds is None else [seconds]
    horizon = next(filter(None, map(reference.horizon, lengths)), None)
    caveat = None if reference.independent else _caveat(reference, horizon)
    levels = LEVELS if caveat is None else LEVELS[:1]
    return Tolerance(factors, least_effect(settings), horizon, levels, caveat)


def _caveat(reference: Reference, horizon: Variability | None) -> str | None:
    if reference.covers is None:
        return "the reference has no time stamps: its natural variability is unknown"
    if reference.covers < _NEARLY * WEEK:
        return "the reference covers less than a week"
    if horizon is None:
        return "the reference has too few windows of this length or shorter"
    return None
