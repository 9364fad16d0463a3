"""What a window may differ from its reference: natural variability, and who may be paged.

Events inside a window are not independent, so that windows of a sound reference differ from each
other by more than chance. What a reference cannot tell about, nobody is paged for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from exporter.config.settings import DriftSettings
from exporter.decisions import LEVELS, least_effect
from exporter.reference.reference import FEWEST_WINDOWS, WEEK, Reference, Variability

_NEARLY: Final = 0.99
"""A reference of a week lacks the time between its last event and the next."""


class Effect(NamedTuple):
    """The drift effect of one subject that does not matter."""

    natural: float | None
    """Its natural variability, where that was measured."""
    tolerated: tuple[float, ...]
    """By level, in the order of ``LEVELS``."""
    levels: tuple[str, ...]
    """The levels at which its drift can be decided."""


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

    def effect(self, key: str) -> Effect:
        """Return what is tolerated of a subject's drift; it is worked out once."""
        if key not in self._effects:
            every = (*self.known, *self.longer)
            natural = next((v.effects[key] for v in every if key in v.effects), None)
            self._effects[key] = Effect(
                natural,
                tuple(max(self.least, self.factors[level] * (natural or 0.0)) for level in LEVELS),
                self._levels(any(key in one.effects for one in self.known)),
            )
        return self._effects[key]

    def variance(self, metric: str, level: str) -> float:
        """Return the variance of a metric between windows that does not matter."""
        every = (*self.known, *self.longer)
        natural = next((v.variances[metric] for v in every if metric in v.variances), 0.0)
        return self.factors[level] * natural

    def metric_levels(self, metric: str) -> tuple[str, ...]:
        """Return the levels at which a limit from the reference can be decided."""
        return self._levels(any(metric in one.variances for one in self.known))

    @cached_property
    def _effects(self) -> dict[str, Effect]:
        return {}

    def _levels(self, known: bool) -> tuple[str, ...]:
        return LEVELS if self.independent or (self.covered and known) else LEVELS[:1]


def tolerance(reference: Reference, seconds: float, settings: DriftSettings) -> Tolerance:
    """Return what is tolerated in windows of ``seconds``; it is worked out once."""
    told = sorted(n for n, one in reference.variability.items() if one.windows >= FEWEST_WINDOWS)
    shorter = bisect_right(told, seconds)
    key = "tolerance", shorter, settings
    if key not in reference.kept:
        every = [reference.variability[length] for length in told]
        reference.kept[key] = Tolerance(
            {"warning": settings.warning, "critical": max(settings.critical, settings.warning)},
            least_effect(settings),
            every[:shorter][::-1],
            every[shorter:],
            reference.independent,
            reference.covers is not None and reference.covers >= _NEARLY * WEEK,
        )
    found: Tolerance = reference.kept[key]
    return found


def caveat(reference: Reference) -> str | None:
    """Return why nothing that rests on this reference is critical, where that is so."""
    if reference.independent:
        return None
    if reference.covers is None:
        return "the reference has no time stamps: its natural variability is unknown"
    if reference.covers < _NEARLY * WEEK:
        return "the reference covers less than a week"
    if not any(one.windows >= FEWEST_WINDOWS for one in reference.variability.values()):
        return "the reference has too few events in any window to tell what is natural"
    return None
