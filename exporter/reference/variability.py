"""Natural variability: how far a reference's own windows lie from the rest of it.

Events inside a window are not independent: hours, weather and campaigns move whole windows. What a
reference does to itself is no drift.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exporter.reference.reference import Reference, Variability
from exporter.registry import Floats
from exporter.rows import Labels, Predictions


def variability(
    reference: Reference,
    predictions: Predictions,
    labels: Labels | None,
    ts: Floats | None,
    labelled: Any,
    progress: Callable[[str, int, int], None],
) -> dict[float, Variability]:
    """Return the variability of windows of each length, by the length in seconds."""
    return {}
