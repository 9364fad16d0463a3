"""How long predictions took: fine bins for quantiles, the exported ones for PromQL."""

from __future__ import annotations

from typing import Final

import numpy as np

from exporter.edges import counts_up_to
from exporter.logbins import LogBins
from exporter.registry import Floats, statistic
from exporter.rows import Predictions
from exporter.schema import Schema

LATENCY_BINS: Final = LogBins(1e-6, 1e5)
LATENCY_EDGES: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
"""Upper bounds of the exported histogram, in seconds; they are interface."""
LONGEST: Final = 1e12
"""Seconds; a longer latency counts as this much, so that its sum stays finite."""
_FIXED: Final = np.array(LATENCY_EDGES)


@statistic("latency_bins", rows="predictions", shape=lambda schema: (LATENCY_BINS.size,))
def latency_bins(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Count latencies in bins of one per cent."""
    if rows.latency is not None:
        out += LATENCY_BINS.counts(rows.latency[~np.isnan(rows.latency)])


@statistic(
    "latency_seconds",
    rows="predictions",
    shape=lambda schema: (len(LATENCY_EDGES) + 2,),
    lifetime=True,
    reals=slice(-1, None),
)
def latency_seconds(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Count latencies in the exported bins; the last place is their sum."""
    if rows.latency is not None:
        out += counts_up_to(np.minimum(rows.latency, LONGEST), _FIXED)
