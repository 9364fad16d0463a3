"""A reference cut into windows of one length, by the times of its events."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from exporter.drift.effect import Codes, Floats

MOST_WINDOWS: Final = 200
"""More windows of one length than this are sampled evenly."""
MOST_ROWS: Final = 200_000
"""More rows than this in all windows of one length are sampled evenly."""
FEWEST_ROWS: Final = 20
"""Windows with fewer rows tell nothing."""
_WHOLE: Final = 0.99
"""A last window of which this much was seen is whole."""


@dataclass(frozen=True)
class Cuts:
    """Windows as runs of ``rows``, which are places in the reference."""

    rows: Codes
    bounds: Codes
    """Where each window begins among ``rows``, and the end."""
    stride: int
    """Each of so many rows of a window was taken."""

    @property
    def windows(self) -> int:
        """How many windows there are."""
        return len(self.bounds) - 1

    def slices(self) -> list[slice]:
        """Return each window as a slice of ``rows``."""
        ends = self.bounds.tolist()
        return [slice(a, b) for a, b in pairwise(ends)]


def cut(times: Floats, start: float, length: float, most_rows: int = MOST_ROWS) -> Cuts:
    """Return the windows of ``length`` seconds from ``start`` on; rows without a time are in none.

    What is left at the end is a window if it is nearly whole.
    """
    order = np.argsort(times, kind="stable")
    ordered = times[order] - start
    ordered = ordered[: ordered.searchsorted(np.inf)]
    span = float(ordered[-1]) if len(ordered) else 0.0
    windows = int(span // length) + (span % length > _WHOLE * length)
    bounds = ordered.searchsorted(np.arange(windows + 1) * length)
    sizes = np.diff(bounds)
    some = np.flatnonzero(sizes >= FEWEST_ROWS)
    if len(some) > MOST_WINDOWS:
        some = some[np.linspace(0, len(some) - 1, MOST_WINDOWS).astype(np.int64)]
    stride = max(1, int(np.ceil(sizes[some].sum() / most_rows)))
    taken = [order[bounds[w] : bounds[w + 1] : stride] for w in some.tolist()]
    ends = np.cumsum([0, *map(len, taken)])
    rows = np.concatenate(taken) if taken else np.zeros(0, np.int64)
    return Cuts(rows, ends, stride)
