"""The numbers of a regression, predicted and true, in the bins of a reference."""

from __future__ import annotations

import numpy as np

from exporter.bins import FeatureBins
from exporter.registry import Floats, Shape, statistic
from exporter.rows import Labels, Predictions
from exporter.schema import Schema
from exporter.statistics.feature_bins import count_numbers


def _shape(bins: FeatureBins | None) -> Shape | None:
    return None if bins is None else (bins.size,)


def _same(array: Floats, before: FeatureBins | None, after: FeatureBins | None) -> Floats | None:
    """Carry the counts over if the bins stay."""
    stays = before is not None and after is not None and before.fingerprint == after.fingerprint
    return array if stays else None


def _same_outputs(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats | None:
    return _same(array, before.outputs, after.outputs)


def _same_targets(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats | None:
    return _same(array, before.targets, after.targets)


@statistic(
    "output_bins",
    rows="predictions",
    shape=lambda schema: _shape(schema.outputs),
    carry=_same_outputs,
)
def output_bins(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Count predicted numbers, as those of a feature; NaN is none."""
    if rows.value is not None and schema.outputs is not None:
        count_numbers(out, rows.value[~np.isnan(rows.value)], schema.outputs)


@statistic(
    "target_bins", rows="labels", shape=lambda schema: _shape(schema.targets), carry=_same_targets
)
def target_bins(out: Floats, rows: Labels, schema: Schema) -> None:
    """Count true numbers, as those of a feature; NaN is none."""
    if rows.truth is not None and schema.targets is not None:
        count_numbers(out, rows.truth[~np.isnan(rows.truth)], schema.targets)
