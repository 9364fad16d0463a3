"""Which class was predicted where which was true: the source of most classification metrics."""

from __future__ import annotations

import numpy as np

from exporter.registry import Floats, Shape, padded, statistic
from exporter.rows import Labels
from exporter.schema import Schema


def _cells(schema: Schema) -> Shape | None:
    known = len(schema.classes)
    return (known, known) if schema.classifies and known else None


def _one(schema: Schema) -> Shape | None:
    return (1,) if schema.classifies else None


@statistic("confusion", rows="labels", shape=_cells, carry=padded, lifetime=True, class_axes=(0, 1))
def confusion(out: Floats, rows: Labels, schema: Schema) -> None:
    """Count labels: row the true class, column the predicted one."""
    if rows.label is not None and rows.code is not None:
        known = len(out)
        cells = np.bincount(rows.label * known + rows.code, minlength=known * known)
        out += cells.reshape(known, known)


@statistic("correct", rows="labels", shape=_one)
def correct(out: Floats, rows: Labels, schema: Schema) -> None:
    """Count correct predictions, by true names: two classes in ``__other__`` may differ."""
    if rows.correct is not None:
        out[0] += np.count_nonzero(rows.correct)
