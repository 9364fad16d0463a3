"""How long labels took to come."""

from __future__ import annotations

from typing import Final

import numpy as np

from exporter.edges import counts_up_to
from exporter.registry import Floats, statistic
from exporter.rows import Labels
from exporter.schema import Schema

DELAY_EDGES: Final = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0, 259200.0, 604800.0)
"""Upper bounds of the exported histogram, in seconds; they are interface."""
_FIXED: Final = np.array(DELAY_EDGES)


@statistic(
    "label_delay_seconds",
    rows="labels",
    shape=lambda schema: (len(DELAY_EDGES) + 2,),
    lifetime=True,
    reals=slice(-1, None),
)
def label_delay_seconds(out: Floats, rows: Labels, schema: Schema) -> None:
    """Count delays in the exported bins; the last place is their sum."""
    if rows.delay is not None:
        out += counts_up_to(rows.delay, _FIXED)
