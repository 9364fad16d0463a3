"""Errors of a regression (prediction minus label), as sums of their powers.

A sum must stay finite whatever arrives: an error beyond 1e75 counts as 1e75.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from exporter.registry import Floats, Shape, statistic
from exporter.rows import Labels
from exporter.schema import Schema

LARGEST: Final = 1e75
"""Its fourth power, summed over 1e8 events, still is a float64."""


def _shape(size: int, schema: Schema) -> Shape | None:
    return (size,) if schema.task == "regression" else None


def known_errors(rows: Labels) -> tuple[Floats, Floats] | None:
    """Return errors and labels of the rows that have both numbers, ``None`` if none can."""
    if rows.value is None or rows.truth is None:
        return None
    with np.errstate(over="ignore"):
        error = np.clip(rows.value - rows.truth, -LARGEST, LARGEST)
    known = ~np.isnan(error)
    return error[known], rows.truth[known]


@statistic("errors", rows="labels", shape=lambda schema: _shape(5, schema))
def errors(out: Floats, rows: Labels, schema: Schema) -> None:
    """Add n and the sums of e, of its absolute value, of e^2 and of e^4."""
    pair = known_errors(rows)
    if pair is not None:
        error = pair[0]
        square = error * error
        out += np.array(
            (len(error), error.sum(), np.abs(error).sum(), square.sum(), square @ square)
        )


@statistic(
    "error_totals",
    rows="labels",
    shape=lambda schema: _shape(2, schema),
    lifetime=True,
    reals=slice(None),
)
def error_totals(out: Floats, rows: Labels, schema: Schema) -> None:
    """Add the sums of absolute and of squared errors."""
    pair = known_errors(rows)
    if pair is not None:
        out += (np.abs(pair[0]).sum(), pair[0] @ pair[0])


@statistic("percentage_errors", rows="labels", shape=lambda schema: _shape(3, schema))
def percentage_errors(out: Floats, rows: Labels, schema: Schema) -> None:
    """Add n, sum and sum of squares of abs(e / label); labels of 0 are skipped."""
    pair = known_errors(rows)
    if pair is None:
        return
    some = pair[1] != 0
    with np.errstate(over="ignore"):
        ratio = np.minimum(np.abs(pair[0][some] / pair[1][some]), LARGEST)
    out += (len(ratio), ratio.sum(), ratio @ ratio)
