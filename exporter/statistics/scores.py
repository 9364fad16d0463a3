"""Scores of labelled events by their class, in bins: what ranking metrics are made from."""

from __future__ import annotations

import numpy as np

from exporter.edges import counts
from exporter.registry import Floats, Shape, padded, statistic
from exporter.rows import Labels
from exporter.schema import Schema


def _binary(schema: Schema) -> Shape | None:
    if schema.task != "binary" or schema.score_edges is None or not schema.classes:
        return None
    return (len(schema.classes), schema.score_bins)


def _multiclass(schema: Schema) -> Shape | None:
    if schema.task != "multiclass" or schema.score_edges is None:
        return None
    return (len(schema.score_edges), 2, schema.score_bins)


def same_edges(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats | None:
    """Carry a histogram of a binary score over to more classes, if its edges stay."""
    if before.edges_fingerprint != after.edges_fingerprint:
        return None
    return padded(array, before, after, shape)


def _same_rows(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats | None:
    """Carry over the classes whose own edges stay."""
    old, new = before.score_edges, after.score_edges
    if old is None or new is None or array.ndim != len(shape) or old.shape[1] != new.shape[1]:
        return None
    moved = np.zeros(shape)
    common = min(len(old), len(new))
    kept = np.flatnonzero((old[:common] == new[:common]).all(axis=1))
    moved[kept] = array[kept]
    return moved


@statistic("label_score_bins", rows="labels", shape=_binary, carry=same_edges, class_axes=(0,))
def label_score_bins(out: Floats, rows: Labels, schema: Schema) -> None:
    """Count the scores of a binary model: (true class, bin)."""
    if rows.value is None or rows.label is None or schema.score_edges is None:
        return
    for code in range(len(out)):
        out[code] += counts(rows.value[rows.label == code], schema.score_edges[0])


@statistic("class_score_bins", rows="labels", shape=_multiclass, carry=_same_rows, class_axes=(0,))
def class_score_bins(out: Floats, rows: Labels, schema: Schema) -> None:
    """Count the scores of each class: (class, 0 of its own events and 1 of all events, bin)."""
    if rows.scores is None or rows.label is None or schema.score_edges is None:
        return
    for code in range(min(len(out), rows.scores.shape[1])):
        column, edges = rows.scores[:, code], schema.score_edges[code]
        out[code, 0] += counts(column[rows.label == code], edges)
        out[code, 1] += counts(column, edges)
