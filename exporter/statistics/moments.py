"""Counts, sums and sums of squares around a centre that is near the values.

Raw sums of squares cancel: at a mean of 1e9 and a deviation of 1 nothing of the variance is left.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from exporter.registry import Floats, Shape, statistic
from exporter.rows import Labels, Predictions
from exporter.schema import Schema

LARGEST: Final = 1e150
"""Distances from the centre beyond it count as this much: their squares stay finite."""


def _outputs(schema: Schema) -> Shape | None:
    return (3,) if schema.task != "multiclass" else None


def _labels(schema: Schema) -> Shape | None:
    return (3,) if schema.task == "regression" else None


def recentred(moments: Floats, shift: float) -> Floats:
    """Return n, sum and sum of squares around a centre that is higher by ``shift``."""
    n, total, squares = moments.tolist()
    shift = min(max(shift, -LARGEST), LARGEST)
    return np.array((n, total - n * shift, squares - 2 * shift * total + n * shift * shift))


def _recentre_outputs(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats:
    return recentred(array, after.center - before.center)


def _recentre_labels(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats:
    return recentred(array, after.label_center - before.label_center)


def _add(out: Floats, values: Floats | None, center: float) -> None:
    if values is None:
        return
    with np.errstate(over="ignore"):
        away = np.clip(values - center, -LARGEST, LARGEST)
    away = away[~np.isnan(away)]
    out += np.array((len(away), away.sum(), away @ away))


@statistic("output_moments", rows="predictions", shape=_outputs, carry=_recentre_outputs)
def output_moments(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Add scores or predicted numbers, around ``center``."""
    _add(out, rows.value, schema.center)


@statistic("label_moments", rows="labels", shape=_labels, carry=_recentre_labels)
def label_moments(out: Floats, rows: Labels, schema: Schema) -> None:
    """Add the true numbers of events with a predicted one, around ``label_center``."""
    if rows.truth is not None and rows.value is not None:
        _add(out, np.where(np.isnan(rows.value), np.nan, rows.truth), schema.label_center)
