"""What calibrated scores expect of labels before they come.

Calibrated class by class and normalised, the scores of a multiclass event say how probable each
class is. Sums of that are expected counts: no histogram of single scores could give them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exporter.registry import Floats, Shape, padded, statistic
from exporter.rows import Labels, Predictions
from exporter.schema import Schema


def _classes(schema: Schema) -> Shape | None:
    return (len(schema.classes), 3) if schema.task == "multiclass" and _knows(schema) else None


def _class_bins(schema: Schema) -> Shape | None:
    known = schema.task == "multiclass" and _knows(schema)
    return (len(schema.classes), 2, schema.score_bins) if known else None


def _one(schema: Schema) -> Shape | None:
    return (3,) if schema.classifies and _knows(schema) else None


def _knows(schema: Schema) -> bool:
    return schema.calibration is not None and schema.score_edges is not None


def same_calibration(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats | None:
    """Carry over what was expected by the same calibration in the same bins."""
    pairs = ((before.score_edges, after.score_edges), (before.calibration, after.calibration))
    if before.task != after.task or before.positive != after.positive:
        return None
    for old, new in pairs:
        if old is None or new is None or old.shape[1] != new.shape[1]:
            return None
        common = min(len(old), len(new))
        if not np.array_equal(old[:common], new[:common], equal_nan=True):
            return None
    return padded(array, before, after, shape)


def class_probabilities(scores: Floats, schema: Schema) -> tuple[NDArray[np.bool_], Floats]:
    """Return which rows have scores, and their (rows, classes) calibrated probabilities.

    A class that the reference did not know keeps its scores (it has no row, or one of NaN); so
    does an event whose every class is calibrated to 0.
    """
    assert schema.calibration is not None
    assert schema.score_edges is not None
    known = scores.sum(axis=1) > 0
    raw = scores[known]
    fitted = raw.copy()
    for code, table in enumerate(schema.calibration[: raw.shape[1]]):
        if not np.isnan(table[0]):
            places = schema.score_edges[code].searchsorted(raw[:, code], side="right")
            fitted[:, code] = table[places]
    nothing = ~fitted.any(axis=1)
    fitted[nothing] = raw[nothing]
    return known, fitted / fitted.sum(axis=1, keepdims=True)


@statistic(
    "expected_classes", rows="predictions", shape=_classes, carry=same_calibration, class_axes=(0,)
)
def expected_classes(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Add to each class: expected hits, predictions, expected labels.

    These margins of the expected confusion are all that its metrics need.
    """
    if rows.scores is None or rows.code is None:
        return
    known, probability = class_probabilities(rows.scores, schema)
    code = rows.code[known]
    wide = np.zeros((len(probability), len(out)))
    wide[:, : probability.shape[1]] = probability
    out[:, 0] += np.bincount(code, wide[np.arange(len(code)), code], minlength=len(out))
    out[:, 1] += np.bincount(code, minlength=len(out))
    out[:, 2] += wide.sum(axis=0)


@statistic(
    "expected_class_bins",
    rows="predictions",
    shape=_class_bins,
    carry=same_calibration,
    class_axes=(0,),
)
def expected_class_bins(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Add to (class, 0 of its expected labels and 1 of all events, bin of its score)."""
    if rows.scores is None or schema.score_edges is None:
        return
    known, probability = class_probabilities(rows.scores, schema)
    scores = rows.scores[known]
    for code in range(min(len(out), scores.shape[1])):
        places = schema.score_edges[code].searchsorted(scores[:, code], side="right")
        out[code, 0] += np.bincount(places, probability[:, code], minlength=out.shape[2])
        out[code, 1] += np.bincount(places, minlength=out.shape[2])


@statistic("expected_correct", rows="labels", shape=_one, carry=same_calibration)
def expected_correct(out: Floats, rows: Labels, schema: Schema) -> None:
    """Add n and the sums of d and d^2, d the probability of being right minus having been it."""
    if rows.code is None or rows.correct is None:
        return
    pair = _binary(rows, schema) if schema.task == "binary" else _multiclass(rows, schema)
    if pair is not None:
        known, probability = pair
        difference = probability - rows.correct[known]
        out += np.array((len(difference), difference.sum(), difference @ difference))


def _binary(rows: Labels, schema: Schema) -> tuple[NDArray[np.bool_], Floats] | None:
    """Return which rows have scores, and how probably each of them is right."""
    if rows.value is None or rows.code is None:
        return None
    assert schema.calibration is not None
    assert schema.score_edges is not None
    known = ~np.isnan(rows.value)
    places = schema.score_edges[0].searchsorted(rows.value[known], side="right")
    positive = schema.calibration[0, places]
    code = -1 if schema.positive_code is None else schema.positive_code
    return known, np.where(rows.code[known] == code, positive, 1 - positive)


def _multiclass(rows: Labels, schema: Schema) -> tuple[NDArray[np.bool_], Floats] | None:
    if rows.scores is None or rows.code is None:
        return None
    known, probability = class_probabilities(rows.scores, schema)
    code = rows.code[known]
    seen = code < probability.shape[1]
    right = np.zeros(len(code))
    right[seen] = probability[np.flatnonzero(seen), code[seen]]
    return known, right
