"""How sure the model was, and how often it was right, in ten equal bins of probability."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from exporter.registry import Floats, Shape, padded, statistic
from exporter.rows import Labels
from exporter.schema import Schema

BINS: Final = 10
_EDGES: Final = np.linspace(0, 1, BINS + 1)[1:-1]


def _binary(schema: Schema) -> Shape | None:
    known = schema.task == "binary" and schema.classes
    return (len(schema.classes), BINS, 2) if known else None


def _multiclass(schema: Schema) -> Shape | None:
    return (BINS, 3) if schema.task == "multiclass" else None


@statistic("calibration", rows="labels", shape=_binary, carry=padded, class_axes=(0,))
def calibration(out: Floats, rows: Labels, schema: Schema) -> None:
    """Add to (true class, bin): count, sum of scores."""
    if rows.value is None or rows.label is None:
        return
    known = ~np.isnan(rows.value)
    score, label = rows.value[known], rows.label[known]
    cells = label * BINS + _EDGES.searchsorted(score, side="right")
    places = len(out) * BINS
    out[..., 0] += np.bincount(cells, minlength=places).reshape(-1, BINS)
    out[..., 1] += np.bincount(cells, score, minlength=places).reshape(-1, BINS)


@statistic("confidence", rows="labels", shape=_multiclass)
def confidence(out: Floats, rows: Labels, schema: Schema) -> None:
    """Add to each bin of the highest probability: count, its sum, how often its class was true."""
    if rows.scores is None or rows.label is None:
        return
    known = ~np.isnan(rows.scores[:, 0])
    scores = rows.scores[known]
    top = scores.argmax(axis=1)
    sure = scores[np.arange(len(top)), top]
    bins = _EDGES.searchsorted(sure, side="right")
    out[:, 0] += np.bincount(bins, minlength=BINS)
    out[:, 1] += np.bincount(bins, sure, minlength=BINS)
    out[:, 2] += np.bincount(bins, _right(rows, known, top), minlength=BINS)


def _right(rows: Labels, known: NDArray[np.bool_], top: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the class of highest probability was the true one.

    Where it is the predicted class too, by true names: classes in ``__other__`` may differ.
    """
    assert rows.label is not None
    right: NDArray[np.bool_] = top == rows.label[known]
    if rows.correct is None or rows.code is None:
        return right
    return np.where(top == rows.code[known], rows.correct[known], right)
