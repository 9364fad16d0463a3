"""Brier and log loss: sums over scores, and sums of squares for their intervals."""

from __future__ import annotations

from typing import Final

import numpy as np

from exporter.registry import Floats, Shape, padded, statistic
from exporter.rows import Labels
from exporter.schema import Schema

CLIP: Final = float(np.finfo(np.float64).eps)
"""Probabilities are kept this far from 0 and 1 under the logarithm, as scikit-learn does."""


def _binary(schema: Schema) -> Shape | None:
    known = schema.task == "binary" and schema.classes
    return (len(schema.classes), 9) if known else None


def _multiclass(schema: Schema) -> Shape | None:
    return (5,) if schema.task == "multiclass" else None


@statistic("probability_losses", rows="labels", shape=_binary, carry=padded, class_axes=(0,))
def probability_losses(out: Floats, rows: Labels, schema: Schema) -> None:
    """Add the losses of a score s by true class; which is positive is decided when reading.

    Columns: n; the sums over squares of errors if positive (1-s)^2 and their squares, if negative
    s^2 and their squares; the sums of log losses if positive and their squares, if negative and
    their squares.
    """
    if rows.value is None or rows.label is None:
        return
    terms = _terms(rows.value)
    known = terms[0] == 1
    belongs = (rows.label[:, None] == np.arange(len(out))) & known[:, None]
    out += belongs.T.astype(np.float64) @ terms.T


def _terms(score: Floats) -> Floats:
    terms = np.ones((9, len(score)))
    missing = np.isnan(score)
    s = np.where(missing, 0.5, score)
    terms[0] = ~missing
    terms[1] = np.square(1 - s)
    terms[3] = np.square(s)
    terms[5] = -np.log(np.clip(s, CLIP, 1 - CLIP))
    terms[7] = -np.log(np.clip(1 - s, CLIP, 1 - CLIP))
    np.square(terms[1::2], out=terms[2::2])
    return terms


@statistic("class_probability_losses", rows="labels", shape=_multiclass)
def class_probability_losses(out: Floats, rows: Labels, schema: Schema) -> None:
    """Add n, then sum and sum of squares of the Brier loss, then of the log loss."""
    if rows.scores is None or rows.label is None:
        return
    known = ~np.isnan(rows.scores[:, 0])
    scores, label = rows.scores[known], rows.label[known]
    seen = label < scores.shape[1]
    true = np.where(seen, scores[np.arange(len(label)), np.where(seen, label, 0)], 0.0)
    brier = np.einsum("ij,ij->i", scores, scores) + 1 - 2 * true
    loss = -np.log(np.clip(true, CLIP, 1 - CLIP))
    out += (len(label), brier.sum(), brier @ brier, loss.sum(), loss @ loss)
