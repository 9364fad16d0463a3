"""What calibrated scores expect of labels before they come.

Calibrated class by class and normalised, the scores of a multiclass event say how probable each
class is. Sums of that are expected counts: no histogram of single scores could give them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.registry import Floats, Shape, padded, statistic
from exporter.rows import Codes, Labels, Predictions
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


@dataclass(frozen=True)
class Expected:
    """What the class probabilities of a batch expect, of the rows that have any."""

    code: Codes
    """(rows) code of the predicted class."""
    probability: Floats
    """(rows, classes) calibrated, of sum 1."""
    places: list[Codes]
    """By class: the bin of each row's score."""
    known: NDArray[np.bool_]
    """Which rows of the batch these are."""


def expected(rows: Predictions | Labels, schema: Schema) -> Expected | None:
    """Return what calibrated class probabilities expect of ``rows``, ``None`` if none has any.

    A class that the reference did not know keeps its scores (it has no row, or one of NaN); so
    does an event whose every class is calibrated to 0.
    """
    if rows.scores is None or rows.code is None:
        return None
    assert schema.calibration is not None
    assert schema.score_edges is not None
    known = rows.scores.sum(axis=1) > 0
    raw = rows.scores[known]
    columns = zip(schema.score_edges, raw.T, strict=False)
    places = [edges.searchsorted(scores, side="right") for edges, scores in columns]
    fitted = raw.copy()
    for code, table in enumerate(schema.calibration[: len(places)]):
        if not np.isnan(table[0]):
            fitted[:, code] = table[places[code]]
    nothing = ~fitted.any(axis=1)
    fitted[nothing] = raw[nothing]
    return Expected(rows.code[known], fitted / fitted.sum(axis=1, keepdims=True), places, known)


@statistic(
    "expected_classes",
    rows="predictions",
    shape=_classes,
    carry=same_calibration,
    class_axes=(0,),
    given=expected,
)
def expected_classes(out: Floats, told: Expected | None, schema: Schema) -> None:
    """Add to each class: expected hits, predictions, expected labels.

    These margins of the expected confusion are all that its metrics need.
    """
    if told is None:
        return
    code, probability = told.code, told.probability
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
    given=expected,
)
def expected_class_bins(out: Floats, told: Expected | None, schema: Schema) -> None:
    """Add to (class, 0 of its expected labels and 1 of all events, bin of its score)."""
    if told is None:
        return
    for code, places in enumerate(told.places[: len(out)]):
        out[code, 0] += np.bincount(places, told.probability[:, code], minlength=out.shape[2])
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
    told = expected(rows, schema)
    if told is None:
        return None
    code, probability = told.code, told.probability
    seen = code < probability.shape[1]
    right = np.zeros(len(code))
    right[seen] = probability[np.flatnonzero(seen), code[seen]]
    return told.known, right
