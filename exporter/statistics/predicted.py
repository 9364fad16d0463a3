"""How often each class was predicted."""

from __future__ import annotations

import numpy as np

from exporter.registry import Floats, Shape, padded, statistic
from exporter.rows import Predictions
from exporter.schema import Schema


def _classes(schema: Schema) -> Shape | None:
    return (len(schema.classes),) if schema.classifies and schema.classes else None


@statistic(
    "predicted", rows="predictions", shape=_classes, carry=padded, lifetime=True, class_axes=(0,)
)
def predicted(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Count predictions by class."""
    if rows.code is not None:
        out += np.bincount(rows.code, minlength=len(out))
