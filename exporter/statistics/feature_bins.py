"""The values of features, in the bins of a reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from exporter.bins import MISSING, MISTYPED, SPECIAL, UNSEEN, FeatureBins
from exporter.coded import Coded
from exporter.events import class_name
from exporter.registry import Floats, Shape, statistic
from exporter.rows import ABSENT, Predictions
from exporter.schema import Schema

LARGEST: Final = 1e150
"""Numbers beyond it are summed as this much: sums and their squares stay finite."""
MANY: Final = 1000
"""From so many numbers on it is faster to sort them and look for the edges than the reverse."""
_NUMBERS = frozenset({int, float, bool, type(None)})


def _shape(schema: Schema) -> Shape | None:
    return (sum(one.size for one in schema.bins),) if schema.bins else None


def _same_bins(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats:
    """Carry over the features whose bins stay."""
    starts, start = {}, 0
    for one in before.bins:
        starts[one.fingerprint] = start
        start += one.size
    moved, place = np.zeros(shape), 0
    for one in after.bins:
        known = starts.get(one.fingerprint)
        if known is not None:
            moved[place : place + one.size] = array[known : known + one.size]
        place += one.size
    return moved


@statistic("feature_bins", rows="predictions", shape=_shape, carry=_same_bins)
def feature_bins(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Count the values of each feature: special places, bins, sums a bin."""
    if not rows.features:
        return
    start = 0
    for bins in schema.bins:
        column = rows.features.get(bins.name)
        place = out[start : start + bins.size]
        start += bins.size
        if column is None:
            place[MISSING] += rows.size
        elif bins.kind == "numeric":
            count_numbers(place, column, bins)
        else:
            _count_categories(place, column, bins)


def count_numbers(out: Floats, column: Any, bins: FeatureBins) -> None:
    """Count a column of a numeric feature."""
    numbers = _numbers(out, column)
    gone = np.isnan(numbers)
    if gone.any():
        out[MISSING] += np.count_nonzero(gone)
        numbers = numbers[~gone]
    if len(numbers) < MANY:
        place = bins.edges.searchsorted(numbers, side="right")
        count = np.bincount(place, minlength=bins.bins)
    else:
        numbers = np.sort(numbers)
        below = numbers.searchsorted(bins.edges)
        count = np.diff(below, prepend=0, append=len(numbers))
        place = np.repeat(np.arange(bins.bins), count)
    out[SPECIAL : SPECIAL + bins.bins] += count
    # Summed a bin at a time: one monstrous number must not cancel the others.
    held = np.minimum(np.maximum(numbers, -LARGEST), LARGEST)
    out[SPECIAL + bins.bins :] += np.bincount(place, held, bins.bins)


def _numbers(out: Floats, column: Any) -> Floats:
    """Return a column as numbers, NaN where they are missing; count what is no number."""
    if isinstance(column, np.ndarray):
        return column.astype(np.float64, copy=False)
    if set(map(type, column)) <= _NUMBERS:
        try:
            return np.array(column, np.float64)
        except OverflowError:
            pass
    numbers = []
    for value in column:
        if value is ABSENT:
            continue
        if type(value) not in _NUMBERS:
            out[MISTYPED] += 1
            continue
        numbers.append(_number(value))
    return np.array(numbers, np.float64)


def _number(value: Any) -> float:
    try:
        return np.nan if value is None else float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def occurrences(column: Any) -> Iterable[tuple[Any, int]]:
    """Return the values of a column, and how often each is there."""
    if isinstance(column, Coded):
        return column.times()
    values: Iterable[Any] = getattr(column, "tolist", lambda: column)()
    return Counter(values).items()


def _count_categories(out: Floats, column: Any, bins: FeatureBins) -> None:
    """Count a column of a categorical feature, or the missing values of an identifier."""
    for value, times in occurrences(column):
        if value is ABSENT:
            continue
        if value is None or value != value:
            out[MISSING] += times
            continue
        code = bins.codes.get(class_name(value))
        if code is not None:
            out[SPECIAL + code] += times
        elif bins.kind == "identifier":
            out[SPECIAL] += times
        elif bins.rest:
            out[SPECIAL + len(bins.categories)] += times
        else:
            out[UNSEEN] += times
