"""Missing and unusual values: whether there are more than the reference can account for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from exporter.bins import SPECIAL, FeatureCounts
from exporter.decisions import FEWEST, LEVELS
from exporter.drift.effect import Codes
from exporter.estimates import SURE, wilson
from exporter.registry import Floats
from exporter.special import special
from exporter.window import Window

Problem = Literal["missing", "outside"]
MARGIN: Final = 0.01
"""So much more of a problem than in the reference does not matter."""


class QualityDecision(NamedTuple):
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


@dataclass(frozen=True)
class _Watched:
    """Every problem of a reference's features, and how to count them in any window at once."""

    names: list[tuple[str, Problem]]
    places: Codes
    """Places of ``feature_bins`` that a problem, or what could have it, is the sum of."""
    of: Codes
    """The problem that each place belongs to; further on, what could have it."""
    limits: Floats


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


def tails(events: Codes, n: Codes, share: Floats) -> Floats:
    """Return P(Bin(n, share) >= events) of each; 1 where there are none."""
    found = special.bdtrc(np.maximum(events - 1, 0), n, share)
    return np.where(events > 0, found, 1.0)


def decide(window: Window, alphas: tuple[float, float], small: int) -> list[QualityDecision]:
    """Return a decision for each problem of each feature with enough events.

    ``alphas`` are the tails that alarm from ``small`` events on, and below.
    """
    array = window.get("feature_bins")
    if window.reference is None or array is None:
        return []
    watched = _watched(window.reference)
    sums = np.bincount(watched.of, array[watched.places], 2 * len(watched.names))
    some = np.flatnonzero((sums[len(watched.names) :] >= FEWEST) & (watched.limits < 1))
    events, n = sums.astype(np.int64).reshape(2, -1)[:, some]
    limits = watched.limits[some]
    tail = tails(events, n, limits)
    alpha = np.where(n < small, alphas[1], alphas[0])
    columns = events, n, limits, tail, alpha, tail < alpha
    return [
        QualityDecision(window.name, *watched.names[i], *row)
        for i, *row in zip(some.tolist(), *(column.tolist() for column in columns), strict=True)
    ]


def _watched(reference: Window) -> _Watched:
    if "watched" not in reference.kept:
        reference.kept["watched"] = _watch(reference)
    found: _Watched = reference.kept["watched"]
    return found


def _watch(reference: Window) -> _Watched:
    """Ask what each place of the counts adds to each problem: a problem is a sum of places."""
    names: list[tuple[str, Problem]] = []
    limits: list[float] = []
    found: list[tuple[int, int, bool]] = []
    start = 0
    for name, counts in reference.features.items():
        bins = counts.bins
        # The places of sums have no part in any problem.
        for place in range(SPECIAL + bins.bins):
            unit = np.zeros(bins.size)
            unit[place] = 1.0
            for which, (_, having, able) in enumerate(problems(FeatureCounts(bins, unit))):
                found += [(start + place, len(names) + which, False)] * bool(having)
                found += [(start + place, len(names) + which, True)] * bool(able)
        for problem, events, n in problems(counts):
            names.append((name, problem))
            limits.append(accountable(events, n))
        start += bins.size
    table = np.array(found, np.int64).reshape(-1, 3)
    of = table[:, 1] + len(names) * table[:, 2]
    return _Watched(names, table[:, 0], of, np.array(limits))
