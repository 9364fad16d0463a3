"""How far counts lie from a reference's: the effect of a two-sample chi-squared test.

With n events in the window and m in the reference, n_eff = 1 / (1/n + 1/m) and
X = n_eff * sum((p - q)^2 / pooled) over the bins that are left after merging. X / n_eff is the
effect: unlike X it does not grow with n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

EXPECTED: Final = 10.0
"""Bins of which the reference would expect fewer events in the window are merged."""


class Pair(NamedTuple):
    """Counts of a window and of its reference in the same bins."""

    live: Floats
    reference: Floats
    ordered: bool
    """Whether neighbouring bins are alike; categories are not."""


@dataclass(frozen=True)
class Runs:
    """Many subjects' bins one after the other: where each subject begins, and its kind."""

    starts: Codes
    sizes: Codes
    ordered: Sequence[bool]

    @classmethod
    def of(cls, sizes: Sequence[int], ordered: Sequence[bool]) -> Runs:
        """Return the runs of subjects with so many bins each, at least one."""
        known = np.array(sizes, np.int64)
        return cls(np.cumsum(known) - known, known, ordered)


@dataclass(frozen=True)
class Effects:
    """What the test of many subjects found, an array each; one without events has effect 0."""

    n: Floats
    n_eff: Floats
    bins: Floats
    """Bins left after merging; with fewer than two there is nothing to compare."""
    statistic: Floats

    @property
    def effect(self) -> Floats:
        """X / n_eff."""
        return self._per_event(self.statistic)

    @property
    def chance(self) -> Floats:
        """(k - 1) / n_eff: the mean effect where nothing differs."""
        return self._per_event(self.bins - 1)

    def _per_event(self, values: Floats) -> Floats:
        return np.divide(values, self.n_eff, out=np.zeros_like(values), where=self.n_eff > 0)


def effects(pairs: Sequence[Pair], expected: float = EXPECTED) -> Effects:
    """Return the effects of ``pairs``; ``expected`` is what a bin needs to stay unmerged."""
    if not pairs:
        none = np.zeros(0)
        return Effects(none, none, none, none)
    runs = Runs.of([len(pair.live) for pair in pairs], [pair.ordered for pair in pairs])
    live, known = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    return compare(live, known, runs, expected=expected)


def compare(
    live: Floats, known: Floats, runs: Runs, fewest: float = 0, expected: float = EXPECTED
) -> Effects:
    """Return the effects of subjects whose counts stand one after the other.

    Those with fewer than ``fewest`` events in the window are left at 0.
    """
    n, m = np.add.reduceat(live, runs.starts), np.add.reduceat(known, runs.starts)
    asked = (n > 0) & (n >= fewest) & (m > 0)
    n_eff = np.divide(n * m, n + m, out=np.zeros_like(n), where=asked)
    mass = known * np.repeat(np.divide(n, m, out=np.zeros_like(n), where=asked), runs.sizes)
    bins = np.where(asked, runs.sizes, 0).astype(np.float64)
    light = asked & (np.minimum.reduceat(mass, runs.starts) < expected)
    if light.any():
        places = np.arange(len(live))
        for i in np.flatnonzero(light).tolist():
            start, end = int(runs.starts[i]), int(runs.starts[i] + runs.sizes[i])
            own = merged(mass[start:end], runs.ordered[i], expected)
            places[start:end] = own + start
            bins[i] = own.max() + 1
        live, known = (_sums(places, counts) for counts in (live, known))
    statistic = n_eff * np.add.reduceat(_terms(live, known, n, m, runs.sizes), runs.starts)
    return Effects(n, n_eff, bins, statistic)


def merged(mass: Floats, ordered: bool, expected: float = EXPECTED) -> Codes:
    """Return the group of each bin, so that the reference expects ``expected`` events in each.

    ``mass`` is what the reference expects in a window: only its shares decide. Were live counts
    asked, one event in an empty bin could. Ordered bins are merged with their neighbours, others
    into one rest.
    """
    return _neighbours(mass, expected) if ordered else _rest(mass, expected)


def _sums(places: Codes, counts: Floats) -> Floats:
    return np.asarray(np.bincount(places, counts, len(counts)), np.float64)


def _terms(live: Floats, known: Floats, n: Floats, m: Floats, sizes: Codes) -> Floats:
    """Return (p - q)^2 / pooled of each bin; 0 where both are empty."""
    of = np.repeat(np.maximum(np.stack([n, m]), 1e-300), sizes, axis=1)
    difference = np.square(live / of[0] - known / of[1])
    pooled = (live + known) / (of[0] + of[1])
    terms: Floats = np.divide(difference, pooled, out=np.zeros_like(pooled), where=pooled > 0)
    return terms


def _neighbours(mass: Floats, expected: float) -> Codes:
    """Close a group as soon as it is heavy enough; what is left at the end joins the last one."""
    codes, group, held = [], 0, 0.0
    for one in mass.tolist():
        codes.append(group)
        held += one
        if held >= expected:
            group, held = group + 1, 0.0
    found = np.array(codes, np.int64)
    return np.minimum(found, max(group - 1, 0))


def _rest(mass: Floats, expected: float) -> Codes:
    """Merge all light bins into one; if even that is light, with the lightest of the others."""
    light = mass < expected
    codes = np.cumsum(~light) - 1
    heavy = int(codes[-1]) + 1
    if not heavy:
        return np.zeros(len(mass), np.int64)
    rest = heavy
    if mass[light].sum() < expected:
        rest = int(codes[np.where(light, np.inf, mass).argmin()])
    codes[light] = rest
    return np.asarray(codes)
