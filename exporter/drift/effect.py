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
class Effects:
    """What the test of many pairs found, an array each; a pair without events has effect 0."""

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
    def excess(self) -> Floats:
        """(X - (k - 1)) / n_eff: its mean is 0 where nothing differs."""
        return self._per_event(self.statistic - (self.bins - 1))

    def _per_event(self, values: Floats) -> Floats:
        return np.divide(values, self.n_eff, out=np.zeros_like(values), where=self.n_eff > 0)


def groups(reference: Floats, n: float, ordered: bool) -> Codes:
    """Return the group of each bin, so that the reference expects ``EXPECTED`` events in each.

    Only the reference's shares decide: were live counts asked, one event in an empty bin could.
    Ordered bins are merged with their neighbours, others into one rest.
    """
    total = reference.sum()
    if not total:
        return np.zeros(len(reference), np.int64)
    mass = reference * (n / total)
    if len(mass) and mass.min() >= EXPECTED:
        return np.arange(len(mass))
    return _neighbours(mass) if ordered else _rest(mass)


def effects(pairs: Sequence[Pair]) -> Effects:
    """Return the effects of ``pairs``."""
    if not pairs:
        none = np.zeros(0)
        return Effects(none, none, none, none)
    n = np.array([pair.live.sum() for pair in pairs])
    m = np.array([pair.reference.sum() for pair in pairs])
    places, starts, place = [], [], 0
    for pair, size in zip(pairs, n.tolist(), strict=True):
        own = groups(pair.reference, size, pair.ordered)
        places.append(own + place)
        starts.append(place)
        place += int(own.max(initial=0)) + 1
    where = np.concatenate(places)
    live = _sums(where, [pair.live for pair in pairs], place)
    known = _sums(where, [pair.reference for pair in pairs], place)
    bins = np.diff([*starts, place]).astype(np.float64)
    both = (n > 0) & (m > 0)
    n_eff = np.divide(n * m, n + m, out=np.zeros_like(n), where=both)
    terms = _terms(live, known, n, m, bins.astype(np.int64))
    statistic = np.where(both, n_eff * np.add.reduceat(terms, starts), 0.0)
    return Effects(n, n_eff, bins, statistic)


def _sums(where: Codes, counts: Sequence[Floats], size: int) -> Floats:
    return np.asarray(np.bincount(where, np.concatenate(counts), size), np.float64)


def _terms(live: Floats, known: Floats, n: Floats, m: Floats, bins: Codes) -> Floats:
    """Return (p - q)^2 / pooled of each group; 0 where both are empty."""
    sizes = np.maximum(np.repeat(np.stack([n, m]), bins, axis=1), 1.0)
    difference = np.square(live / sizes[0] - known / sizes[1])
    pooled = (live + known) / (sizes[0] + sizes[1])
    terms: Floats = np.divide(difference, pooled, out=np.zeros_like(pooled), where=pooled > 0)
    return terms


def _neighbours(mass: Floats) -> Codes:
    """Close a group as soon as it is heavy enough; what is left at the end joins the last one."""
    codes, group, held = [], 0, 0.0
    for one in mass.tolist():
        codes.append(group)
        held += one
        if held >= EXPECTED:
            group, held = group + 1, 0.0
    found = np.array(codes, np.int64)
    return np.minimum(found, max(group - 1, 0))


def _rest(mass: Floats) -> Codes:
    """Merge all light bins into one; if even that is light, with the lightest of the others."""
    light = mass < EXPECTED
    codes = np.cumsum(~light) - 1
    heavy = int(codes[-1]) + 1
    if not heavy:
        return np.zeros(len(mass), np.int64)
    rest = heavy
    if mass[light].sum() < EXPECTED:
        rest = int(codes[np.where(light, np.inf, mass).argmin()])
    codes[light] = rest
    return np.asarray(codes)
