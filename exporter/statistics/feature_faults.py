"""Values of features that the reference does not know, over a model's life."""

from __future__ import annotations

import numpy as np

from exporter.bins import SPECIAL, UNSEEN, FeatureBins
from exporter.registry import Floats, Shape, statistic
from exporter.rows import Predictions
from exporter.schema import Schema
from exporter.statistics.feature_bins import as_numbers, count_categories


def _shape(schema: Schema) -> Shape | None:
    return (len(schema.bins),) if schema.bins else None


def _by_name(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats:
    """Keep what was counted of a feature, whatever its new bins are."""
    known = {one.name: count for one, count in zip(before.bins, array.tolist(), strict=True)}
    return np.array([known.get(one.name, 0.0) for one in after.bins]).reshape(shape)


@statistic("feature_faults", rows="predictions", shape=_shape, carry=_by_name, lifetime=True)
def feature_faults(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Count by feature: numbers outside the usual range or of another type, unseen categories."""
    if not rows.features:
        return
    for place, bins in enumerate(schema.bins):
        column = rows.features.get(bins.name)
        if column is None:
            continue
        if bins.kind == "numeric":
            out[place] += _outside(column, bins)
        elif bins.kind == "categorical" and not bins.rest:
            counted = np.zeros(bins.size)
            count_categories(counted, column, bins)
            out[place] += counted[UNSEEN]


def _outside(column: object, bins: FeatureBins) -> float:
    special = np.zeros(SPECIAL)
    numbers = as_numbers(special, column)
    low, high = bins.edges[0], bins.edges[-1]
    return (
        float(special.sum()) + np.count_nonzero(numbers < low) + np.count_nonzero(numbers >= high)
    )
