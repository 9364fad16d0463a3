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
    known = schema.task == "binary" and schema.score_edges is not None
    return (schema.score_bins,) if known else None


def _fixed(schema: Schema) -> Shape | None:
    return (len(SCORE_EDGES) + 2,) if schema.task == "binary" else None


@statistic("predicted_score_bins", rows="predictions", shape=_bins, carry=same_edges)
def predicted_score_bins(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Count the scores of a binary model in the bins of its edges."""
    if rows.value is not None and schema.score_edges is not None:
        out += counts(rows.value, schema.score_edges[0])


@statistic("prediction_score", rows="predictions", shape=_fixed, lifetime=True)
def prediction_score(out: Floats, rows: Predictions, schema: Schema) -> None:
    """Count scores in the exported bins; the last place is their sum."""
    if rows.value is not None:
        out += counts_up_to(rows.value, _FIXED)
