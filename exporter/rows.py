"""Rows to be counted: what a batch of events is, once it was routed, joined and encoded.

A prediction is counted when it arrives, a label when it meets its prediction. Columns are of equal
length; a column that no row has is ``None``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(slots=True)
class Predictions:
    """Predictions of one model version, in order of arrival."""

    size: int = 0
    """How many rows there are."""
    code: Codes | None = None
    """Code of the predicted class."""
    value: Floats | None = None
    """Score of the positive class, or the predicted number; NaN where there is none."""
    scores: Floats | None = None
    """(rows, classes) class probabilities of a multiclass model; a row without is NaN."""
    latency: Floats | None = None
    """Seconds; NaN where there is none."""
    features: Mapping[str, Sequence[Any]] | None = None
    """Feature name to column; ``None`` or NaN is missing, ``ABSENT`` a row without features."""


@dataclass(slots=True)
class Labels:
    """Predictions of one model version with the labels that they have just met."""

    size: int = 0
    """How many rows there are."""
    code: Codes | None = None
    """Code of the predicted class."""
    label: Codes | None = None
    """Code of the true class."""
    correct: NDArray[np.bool_] | None = None
    """Whether the true names were equal, decided before rare classes were folded together."""
    value: Floats | None = None
    """Score of the positive class, or the predicted number; NaN where there is none."""
    truth: Floats | None = None
    """The true number of a regression."""
    scores: Floats | None = None
    """(rows, classes) class probabilities of a multiclass model; a row without is NaN."""
    delay: Floats | None = None
    """Seconds from the prediction to its label, at least 0; NaN where the times are unknown."""


Rows = TypeVar("Rows", Predictions, Labels)


def dump_rows(rows: Predictions | Labels | None) -> dict[str, Any] | None:
    """Return rows as plain objects and arrays."""
    return None if rows is None else {one.name: getattr(rows, one.name) for one in fields(rows)}


def load_rows(kind: type[Rows], dumped: Mapping[str, Any] | None) -> Rows | None:
    """Return the rows that were dumped."""
    return None if dumped is None else kind(**dumped)


class _Absent:
    """The type of ``ABSENT``."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
"""The value of a feature in a row that came without any features: it is not even missing."""


def concat(parts: Sequence[Rows]) -> Rows:
    """Return the rows of ``parts`` one after the other; ``parts`` must not be empty."""
    if len(parts) == 1:
        return parts[0]
    joined = type(parts[0])(size=sum(part.size for part in parts))
    for field in fields(joined):
        if field.name == "size":
            continue
        columns = [getattr(part, field.name) for part in parts]
        if any(column is not None for column in columns):
            sizes = [part.size for part in parts]
            setattr(joined, field.name, _concat_column(columns, sizes))
    return joined


def select(rows: Rows, which: NDArray[Any]) -> Rows:
    """Return the rows at the indices ``which``."""
    chosen = type(rows)(size=len(which))
    for field in fields(rows):
        column = getattr(rows, field.name)
        if field.name == "size" or column is None:
            continue
        if isinstance(column, Mapping):
            picked: Any = {name: [values[i] for i in which] for name, values in column.items()}
        else:
            picked = column[which]
        setattr(chosen, field.name, picked)
    return chosen


def last(rows: Rows, count: int) -> Rows:
    """Return the last ``count`` rows, or all if there are fewer."""
    return rows if rows.size <= count else select(rows, np.arange(rows.size - count, rows.size))


def _concat_column(columns: Sequence[Any], sizes: Sequence[int]) -> Any:
    first = next(column for column in columns if column is not None)
    if isinstance(first, Mapping):
        return _concat_features(columns, sizes)
    if first.ndim == 2:
        return _concat_scores(columns, sizes)
    filler: Any = np.nan if first.dtype.kind == "f" else 0
    return np.concatenate(
        [
            np.full(size, filler, first.dtype) if column is None else column
            for column, size in zip(columns, sizes, strict=True)
        ]
    )


def _concat_scores(columns: Sequence[Floats | None], sizes: Sequence[int]) -> Floats:
    """Stack matrices; those made before a class was first seen are narrower, and 0 there."""
    wide = max(column.shape[1] for column in columns if column is not None)
    joined = np.zeros((sum(sizes), wide))
    start = 0
    for column, size in zip(columns, sizes, strict=True):
        if column is None:
            joined[start : start + size] = np.nan
        else:
            joined[start : start + size, : column.shape[1]] = column
            joined[start : start + size][np.isnan(column[:, 0])] = np.nan
        start += size
    return joined


def _concat_features(
    columns: Sequence[Mapping[str, Sequence[Any]] | None], sizes: Sequence[int]
) -> dict[str, Any]:
    pairs = list(zip(columns, sizes, strict=True))
    names = dict.fromkeys(name for column in columns if column for name in column)
    return {
        name: _joined([_feature(column, name, size) for column, size in pairs]) for name in names
    }


def _feature(columns: Mapping[str, Any] | None, name: str, size: int) -> Any:
    """Return a part's column of one feature: all absent, all missing, or what came."""
    if columns is None:
        return [ABSENT] * size
    column = columns.get(name)
    if column is not None:
        return column
    # A row without features is without this one too, whatever it was put together with.
    others = next(iter(columns.values()), [None] * size)
    return [ABSENT if other is ABSENT else None for other in others]


def _joined(parts: Sequence[Any]) -> Any:
    """Return columns one after the other: arrays stay an array, else Python's own objects."""
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    return list(
        chain.from_iterable(
            part.tolist() if isinstance(part, np.ndarray) else part for part in parts
        )
    )
