"""The bin of each row, for those who count the same rows again and again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.bins import FeatureBins
from exporter.coded import Coded
from exporter.events import class_name

Codes = NDArray[np.int64]
NOWHERE = -1
"""The code of what is in no bin: missing, unseen, or outside the usual range."""


def feature_codes(column: Any, bins: FeatureBins) -> Codes:
    """Return the place of each value among the bins that drift is measured in."""
    if isinstance(column, Coded):
        return column.looked_up(feature_codes(column.values, bins))
    if bins.kind == "numeric":
        return number_codes(np.asarray(column, np.float64), bins)
    if isinstance(column, np.ndarray):
        values, inverse = np.unique(column, return_inverse=True)
        return _category_codes(values.tolist(), bins)[inverse]
    known = dict(_by_value(set(column), bins))
    return np.array([known.get(value, NOWHERE) for value in column], np.int64)


def number_codes(values: NDArray[np.float64], bins: FeatureBins, *, outside: bool = False) -> Codes:
    """Return the bin of each number; ``outside`` keeps the two bins beyond the usual range."""
    codes = np.asarray(bins.edges.searchsorted(values, side="right"))
    known = np.isfinite(values)
    if not outside:
        codes, known = codes - 1, known & (codes > 0) & (codes < len(bins.edges))
    return np.where(known, codes, NOWHERE)


def _by_value(values: set[Any], bins: FeatureBins) -> list[tuple[Any, int]]:
    listed = list(values)
    return list(zip(listed, _category_codes(listed, bins).tolist(), strict=True))


def _category_codes(values: list[Any], bins: FeatureBins) -> Codes:
    rest = len(bins.categories) if bins.rest else NOWHERE
    return np.array(
        [
            NOWHERE if one is None or one != one else bins.codes.get(class_name(one), rest)
            for one in values
        ],
        np.int64,
    )
