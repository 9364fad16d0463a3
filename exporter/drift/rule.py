"""The rule: what drifted in a window, at the stated rate of false alarms.

Drifted is what has an effect above the (1 - alpha) quantile of the non-central chi-squared
distribution whose non-centrality is what is tolerated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from exporter.decisions import FEWEST
from exporter.drift.effect import Effects, Floats, effects
from exporter.drift.noncentral import upper_quantiles
from exporter.drift.subjects import Kind, Subject, subjects
from exporter.drift.tolerance import Tolerance
from exporter.window import Window


class Level(NamedTuple):
    """What is decided at one level."""

    tolerated: float
    """The effect that does not matter."""
    limit: float
    """The effect above which something drifted."""
    detected: bool


@dataclass(frozen=True)
class DriftDecision:
    """One subject in one window, and the numbers that the decision rests on."""

    window: str
    kind: Kind
    name: str
    n: int
    """Events in the window."""
    n_eff: float
    bins: int
    """Bins left after merging."""
    effect: float
    natural: float | None
    """Natural variability of the effect, where the reference tells."""
    alpha: float
    levels: Mapping[str, Level]


def decide(
    window: Window,
    tolerance: Tolerance,
    alpha: Callable[[int], float],
    kinds: Sequence[Kind] = ("feature", "prediction", "label"),
) -> list[DriftDecision]:
    """Return a decision for each subject of ``kinds`` that has enough events."""
    candidates = [one for one in subjects(window) if one.kind in kinds]
    compared = effects([one.pair for one in candidates])
    some = np.flatnonzero((compared.n >= FEWEST) & (compared.bins >= 2) & (compared.n_eff > 0))
    if not len(some):
        return []
    chosen = [candidates[i] for i in some]
    allowed = np.array([alpha(int(compared.n[i])) for i in some])
    tolerated = {
        level: np.array([tolerance.effect(one.key, level) for one in chosen])
        for level in tolerance.levels
    }
    found = limits(compared, some, tolerated, allowed)
    return [
        _decision(window.name, one, compared, int(i), place, tolerance, tolerated, found, allowed)
        for place, (i, one) in enumerate(zip(some, chosen, strict=True))
    ]


def limits(
    compared: Effects, some: np.ndarray, tolerated: Mapping[str, Floats], alpha: Floats
) -> dict[str, Floats]:
    """Return the effect above which each of ``some`` drifted, by level."""
    n_eff, df = compared.n_eff[some], compared.bins[some] - 1
    levels = list(tolerated)
    nc = n_eff * np.array([tolerated[level] for level in levels])
    return dict(zip(levels, upper_quantiles(alpha, df, nc) / n_eff, strict=True))


def _decision(
    window: str,
    one: Subject,
    compared: Effects,
    i: int,
    place: int,
    tolerance: Tolerance,
    tolerated: Mapping[str, Floats],
    found: Mapping[str, Floats],
    alpha: Floats,
) -> DriftDecision:
    effect = float(compared.statistic[i] / compared.n_eff[i])
    levels = {
        level: Level(float(tolerated[level][place]), float(limit[place]), effect > limit[place])
        for level, limit in found.items()
    }
    return DriftDecision(
        window,
        one.kind,
        one.name,
        int(compared.n[i]),
        float(compared.n_eff[i]),
        int(compared.bins[i]),
        effect,
        tolerance.natural_effect(one.key),
        float(alpha[place]),
        levels,
    )


def drifted(decisions: Sequence[DriftDecision], level: str) -> int | None:
    """Return how many features drifted; ``None`` where nothing could be decided."""
    decided = [
        one.levels[level].detected
        for one in decisions
        if one.kind == "feature" and level in one.levels
    ]
    return sum(decided) if decided else None
