"""Scores of all predictions, labelled or not."""

from __future__ import annotations

import numpy as np

from exporter.edges import counts, counts_up_to
from exporter.registry import Floats, Shape, statistic
from exporter.rows import Predictions
from exporter.schema import Schema
from exporter.statistics.scores import same_edges

SCORE_EDGES = tuple(step / 20 for step in range(1, 21))
"""Upper bounds of the exported histogram; they are interface."""
_FIXED = np.array(SCORE_EDGES)


def _bins(schema: Schema) -> Shape | None:
    known = schema.task == "binary" and schema.score_edges is not None and schema.classes
    return (len(schema.classes), schema.score_bins) if known else None


def _fixed(schema: Schema) -> Shape | None:
    return (len(SCORE_EDGES) + 2,) if schema.task == "binary" else None


@statistic(
    "predicted_score_bins", rows="predictions", shape=_bins, carry=same_edges, class_axes=(0,)
)
def predicted_score_bins(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Count the scores of a binary model: (predicted class, bin)."""
    if rows.value is None or rows.code is None or schema.score_edges is None:
        return
    for code in range(len(out)):
        out[code] += counts(rows.value[rows.code == code], schema.score_edges[0])


@statistic(
    "prediction_score", rows="predictions", shape=_fixed, lifetime=True, reals=slice(-1, None)
)
def prediction_score(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Count scores in the exported bins; the last place is their sum."""
    if rows.value is not None:
        out += counts_up_to(rows.value, _FIXED)
