"""What a window may differ from its reference: natural variability, and who may be paged.

Events inside a window are not independent, so that windows of a sound reference differ from each
other by more than chance. What a reference cannot tell about, nobody is paged for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.config.settings import DriftSettings
from exporter.decisions import LEVELS, least_effect
from exporter.reference.reference import FEWEST_WINDOWS, WEEK, Reference, Variability

_NEARLY: Final = 0.99
"""A reference of a week lacks the time between its last event and the next."""


@dataclass(frozen=True)
class Tolerance:
    """What is tolerated in windows of one length."""

    factors: Mapping[str, float]
    """Level to the multiple of natural variability that is tolerated."""
    least: float
    """The drift effect that is tolerated in any case."""
    known: Sequence[Variability] = ()
    """What the reference tells about windows of this length and shorter, the longest first."""
    longer: Sequence[Variability] = ()
    """What it tells about longer ones, the shortest first: those of this length vary more."""
    independent: bool = False
    """Whether a user vouches that events are independent."""
    covered: bool = True
    """Whether the reference covers a week."""

    def natural_effect(self, key: str) -> float | None:
        """Return the natural variability of a subject's drift effect, where it was measured."""
        return next((v.effects[key] for v in (*self.known, *self.longer) if key in v.effects), None)

    def effect(self, key: str, level: str) -> float:
        """Return the drift effect that does not matter."""
        return max(self.least, self.factors[level] * (self.natural_effect(key) or 0.0))

    def effect_levels(self, key: str) -> tuple[str, ...]:
        """Return the levels at which the drift of a subject can be decided."""
        return self._levels(any(key in one.effects for one in self.known))

    def variance(self, metric: str, level: str) -> float:
        """Return the variance of a metric between windows that does not matter."""
        every = (*self.known, *self.longer)
        natural = next((v.variances[metric] for v in every if metric in v.variances), 0.0)
        return self.factors[level] * natural

    def metric_levels(self, metric: str) -> tuple[str, ...]:
        """Return the levels at which a limit from the reference can be decided."""
        return self._levels(any(metric in one.variances for one in self.known))

    def _levels(self, known: bool) -> tuple[str, ...]:
        return LEVELS if self.independent or (self.covered and known) else LEVELS[:1]


def tolerance(reference: Reference, seconds: float, settings: DriftSettings) -> Tolerance:
    """Return what is tolerated in windows of ``seconds``."""
    lengths = sorted(reference.variability)
    told = [(length, reference.variability[length]) for length in lengths]
    told = [(length, one) for length, one in told if one.windows >= FEWEST_WINDOWS]
    return Tolerance(
        {"warning": settings.warning, "critical": max(settings.critical, settings.warning)},
        least_effect(settings),
        [one for length, one in reversed(told) if length <= seconds],
        [one for length, one in told if length > seconds],
        reference.independent,
        reference.covers is not None and reference.covers >= _NEARLY * WEEK,
    )


def caveat(reference: Reference) -> str | None:
    """Return why nothing that rests on this reference is critical, where that is so."""
    if reference.independent:
        return None
    if reference.covers is None:
        return "the reference has no time stamps: its natural variability is unknown"
    if reference.covers < _NEARLY * WEEK:
        return "the reference covers less than a week"
    return None
