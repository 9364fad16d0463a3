"""Values of features that the reference does not know, over a model's life."""

from __future__ import annotations

import numpy as np

from exporter.bins import FeatureCounts
from exporter.registry import Floats, Shape, statistic
from exporter.schema import Schema


def _shape(schema: Schema) -> Shape | None:
    return (len(schema.bins),) if schema.bins else None


def _by_name(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats:
    """Keep what was counted of a feature, whatever its new bins are."""
    known = {one.name: count for one, count in zip(before.bins, array.tolist(), strict=True)}
    return np.array([known.get(one.name, 0.0) for one in after.bins]).reshape(shape)


@statistic(
    "feature_faults",
    rows="predictions",
    shape=_shape,
    carry=_by_name,
    lifetime=True,
    source="feature_bins",
)
def feature_faults(out: Floats, counted: Floats, schema: Schema) -> None:
    """Add by feature: numbers outside the usual range or of another type, unseen categories."""
    start = 0
    for place, bins in enumerate(schema.bins):
        out[place] += FeatureCounts(bins, counted[start : start + bins.size]).outside
        start += bins.size
