"""Missing and unusual values: whether there are more than the reference can account for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import special

from exporter.bins import FeatureCounts
from exporter.decisions import FEWEST, LEVELS
from exporter.estimates import SURE, wilson
from exporter.registry import Floats
from exporter.window import Window

Problem = Literal["missing", "outside"]
MARGIN: Final = 0.01
"""So much more of a problem than in the reference does not matter."""


@dataclass(frozen=True)
class QualityDecision:
    """One problem of one feature in a window, and the numbers that the decision rests on."""

    window: str
    feature: str
    problem: Problem
    events: int
    """How many events have the problem, out of ``n``."""
    n: int
    limit: float
    """The share that the reference can account for."""
    tail: float
    """Probability of so many or more, if the true share were ``limit``."""
    alpha: float
    detected: bool
    levels: tuple[str, ...] = LEVELS


def problems(counts: FeatureCounts) -> list[tuple[Problem, float, float]]:
    """Return each problem, the events that have it, and the events that could.

    Of an identifier only missing is watched.
    """
    found: list[tuple[Problem, float, float]] = [("missing", counts.missing, counts.total)]
    if counts.bins.kind != "identifier":
        found.append(("outside", counts.outside, counts.total - counts.missing))
    return found


def accountable(events: float, n: float) -> float:
    """Return the highest share that a reference with so many of ``n`` can account for."""
    return min(1.0, wilson(events, int(n), SURE)[1] + MARGIN) if n else 1.0


def tails(events: Floats, n: Floats, share: Floats) -> Floats:
    """Return P(Bin(n, share) >= events) of each; 1 where there are none."""
    found = special.bdtrc(np.maximum(events - 1, 0), n.astype(np.int64), share)
    return np.where(events > 0, found, 1.0)


def decide(window: Window, alphas: tuple[float, float], small: int) -> list[QualityDecision]:
    """Return a decision for each problem of each feature with enough events.

    ``alphas`` are the tails that alarm from ``small`` events on, and below.
    """
    reference = window.reference
    if reference is None:
        return []
    asked = []
    for name, counts in window.features.items():
        known = problems(reference.features[name])
        for (problem, events, n), (_, before, of) in zip(problems(counts), known, strict=True):
            if n >= FEWEST and of:
                asked.append((name, problem, events, n, accountable(before, of)))
    if not asked:
        return []
    numbers = np.array([one[2:] for one in asked])
    found = tails(*numbers.T).tolist()
    return [
        _decision(window.name, *one, tail, alphas[one[3] < small])
        for one, tail in zip(asked, found, strict=True)
    ]


def _decision(
    window: str,
    feature: str,
    problem: Problem,
    events: float,
    n: float,
    limit: float,
    tail: float,
    alpha: float,
) -> QualityDecision:
    return QualityDecision(
        window, feature, problem, int(events), int(n), limit, tail, alpha, tail < alpha
    )
