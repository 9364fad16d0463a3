"""The Wasserstein-1 distance: the area between two distribution functions."""

from __future__ import annotations

import math

import numpy as np

from exporter.comparison import Comparison
from exporter.distances import distance
from exporter.registry import Floats


def wasserstein(
    reference: Floats, live: Floats, reference_sums: Floats, live_sums: Floats, edges: Floats
) -> float:
    """Return the area, in units of the values, from counts and sums in the bins between ``edges``.

    The integral of F over a bin follows from the sum of its values: with ends a and b it is
    F(b) b - F(a) a - S / n. So the area is exact where F - G keeps its sign inside each bin, and
    else a lower bound.
    """
    n, m = live.sum(), reference.sum()
    apart = np.cumsum(live)[:-1] / n - np.cumsum(reference)[:-1] / m
    ends = np.concatenate(([0.0], apart * edges, [0.0]))
    return float(np.abs(np.diff(ends) - (live_sums / n - reference_sums / m)).sum())


@distance(
    "wasserstein",
    "wasserstein_distance",
    "Wasserstein distance, in standard deviations of the reference,",
)
def between(both: Comparison) -> float | None:
    """Return the distance of numbers, ``None`` where the reference holds but one."""
    reference, live = both.reference, both.live
    if both.edges is None or reference.sums is None or live.sums is None or not both.scale:
        return None
    if not reference.counts.any() or not live.counts.any():
        return None
    area = wasserstein(reference.counts, live.counts, reference.sums, live.sums, both.edges)
    return area / both.scale if math.isfinite(area / both.scale) else None
