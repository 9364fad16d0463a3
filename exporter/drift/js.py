"""The Jensen-Shannon distance: the root of the divergence, with logarithms to base 2."""

from __future__ import annotations

from typing import Final

import numpy as np

from exporter.comparison import Comparison, merged
from exporter.distances import distance
from exporter.registry import Floats
from exporter.special import special

GROUPS: Final = 20
"""Bins of about equal share of the reference: more of them tell of noise."""


def js_distance(reference: Floats, live: Floats) -> float:
    """Return the distance of two arrays of counts, from 0 to 1 (Endres and Schindelin 2003)."""
    q, p = reference / reference.sum(), live / live.sum()
    mean = (p + q) / 2
    divergence = float(np.sum(special.rel_entr(p, mean) + special.rel_entr(q, mean))) / 2
    return min(float(np.sqrt(max(divergence, 0.0) / np.log(2))), 1.0)


@distance("js", "js_distance", "Jensen-Shannon distance", of=("feature", "prediction"))
def between(both: Comparison) -> float | None:
    """Return the distance over bins, outside and missing."""
    return js_distance(*merged(both, GROUPS))
