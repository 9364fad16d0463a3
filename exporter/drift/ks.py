"""The Kolmogorov-Smirnov statistic: the largest difference of two distribution functions.

Only at the edges of bins are they known. There the statistic of the raw values is bounded from
below, and over each bin from above.
"""

from __future__ import annotations

import numpy as np

from exporter.comparison import Comparison
from exporter.distances import distance
from exporter.registry import Floats


def ks_statistic(reference: Floats, live: Floats) -> float:
    """Return the largest difference at an edge, from counts in the same ordered bins."""
    return float(np.abs(_below(reference) - _below(live)).max())


def ks_interval(reference: Floats, live: Floats) -> tuple[float, float]:
    """Return the bounds between which the statistic of the raw values lies.

    Inside a bin one function may be as high as at its end while the other is as low as at its
    start: D <= max over bins of max(F_end - G_start, G_end - F_start).
    """
    f, g = (np.concatenate(([0.0], _below(counts))) for counts in (reference, live))
    highest = np.maximum(f[1:] - g[:-1], g[1:] - f[:-1]).max()
    return ks_statistic(reference, live), float(highest)


def _below(counts: Floats) -> Floats:
    return np.asarray(np.cumsum(counts) / counts.sum())


@distance("ks", "ks_statistic", "Kolmogorov-Smirnov statistic", of=("feature", "prediction"))
def between(both: Comparison) -> float | None:
    """Return the statistic of numbers; missing ones do not count."""
    reference, live = both.reference.counts, both.live.counts
    return (
        ks_statistic(reference, live) if both.ordered and reference.any() and live.any() else None
    )
