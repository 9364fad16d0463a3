"""How many values of each feature came, and how many were missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from exporter.coded import Coded
from exporter.registry import Floats, Shape, padded, statistic
from exporter.rows import ABSENT, Predictions
from exporter.schema import Schema

_NUMBERS: Final[set[type]] = {float, type(None)}


def _features(schema: Schema) -> Shape | None:
    return (len(schema.features), 2) if schema.features else None


@statistic("features", rows="predictions", shape=_features, carry=padded, lifetime=True)
def features(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Add to (feature): events that came with features, those without this one.

    A row without any features is counted nowhere; a feature that none of the rows has is missing
    in all of those with features.
    """
    if not rows.features:
        return
    present = rows.size - _absent(rows.features)
    out[:, 0] += present
    for code, name in enumerate(schema.features):
        column = rows.features.get(name)
        out[code, 1] += present if column is None else _missing(column)


def _absent(columns: Mapping[str, Any]) -> int:
    """How many rows have no features at all: in every column the same."""
    first = next(iter(columns.values()))
    if isinstance(first, Coded):
        return sum(times for value, times in first.times() if value is ABSENT)
    column = _plain(first)
    return 0 if isinstance(column, np.ndarray) else column.count(ABSENT)


def _plain(column: Any) -> NDArray[Any] | Sequence[Any]:
    """Return a column as an array of numbers, or else as a list of Python's own objects."""
    if isinstance(column, np.ndarray) and column.dtype == object:
        return list(column)
    return column if isinstance(column, np.ndarray | list | tuple) else list(column)


def _missing(column: Any) -> int:
    """How many values are ``None`` or NaN."""
    if isinstance(column, Coded):
        return sum(times for value, times in column.times() if value is None or value != value)
    values = _plain(column)
    if isinstance(values, np.ndarray):
        return int(np.isnan(values).sum()) if values.dtype.kind == "f" else 0
    kinds = set(map(type, values))
    if kinds <= _NUMBERS and float in kinds:
        return int(np.isnan(np.array(values, dtype=np.float64)).sum())  # None becomes NaN
    none = values.count(None) if type(None) in kinds else 0
    return none + (_nans(values) if any(issubclass(kind, float) for kind in kinds) else 0)


def _nans(values: Sequence[Any]) -> int:
    return sum(isinstance(value, float) and math.isnan(value) for value in values)
