"""The population stability index: sum of (p - q) ln(p / q) over a few bins."""

from __future__ import annotations

from typing import Final

import numpy as np

from exporter.comparison import Comparison, merged
from exporter.distances import distance
from exporter.registry import Floats

GROUPS: Final = 10
"""Bins of about equal share of the reference, beside those for missing and outside."""


def psi(reference: Floats, live: Floats) -> float:
    """Return the index of two arrays of counts; half an event is added to each bin.

    Bins that are empty on both sides are no bins. Without drift its mean is about
    ``(k - 1) (1/n + 1/m)``: large for small windows, so nothing is decided by it.
    """
    some = (reference + live) > 0
    q, p = reference[some] + 0.5, live[some] + 0.5
    q, p = q / q.sum(), p / p.sum()
    return float(np.sum((p - q) * np.log(p / q)))


@distance("psi", "psi", "Population stability index", of=("feature", "prediction", "label"))
def between(both: Comparison) -> float | None:
    """Return the index over few bins, outside and missing."""
    return psi(*merged(both, GROUPS))
