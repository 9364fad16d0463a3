"""Absolute errors of a regression in logarithmic bins, for their quantiles."""

from __future__ import annotations

from typing import Final

import numpy as np

from exporter.logbins import LogBins
from exporter.registry import Floats, Shape, statistic
from exporter.rows import Labels
from exporter.schema import Schema
from exporter.statistics.errors import known_errors

ERROR_BINS: Final = LogBins(1e-9, 1e12)


def _shape(schema: Schema) -> Shape | None:
    return (ERROR_BINS.size,) if schema.task == "regression" else None


@statistic("absolute_error_bins", rows="labels", shape=_shape)
def absolute_error_bins(out: Floats, rows: Labels, schema: Schema) -> None:
    """Count absolute errors."""
    pair = known_errors(rows)
    if pair is not None:
        out += ERROR_BINS.counts(np.abs(pair[0]))
