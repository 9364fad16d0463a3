"""How many predictions arrived and how many labels joined."""

from __future__ import annotations

from exporter.registry import Floats, statistic
from exporter.rows import Labels, Predictions
from exporter.schema import Schema


@statistic("predictions", rows="predictions", shape=lambda schema: (1,), lifetime=True)
def predictions(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Count predictions."""
    out[0] += rows.size


@statistic("labels", rows="labels", shape=lambda schema: (1,), lifetime=True)
def labels(out: Floats, rows: Labels, schema: Schema) -> None:
    """Count joined labels."""
    out[0] += rows.size
