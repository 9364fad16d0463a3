"""How probable a class is at a given score, learned from a labelled reference.

Positives and counts per score bin, made monotonic by pooling adjacent violators: an isotonic
regression of the label on the score.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from exporter.layout import Layout
from exporter.registry import STATISTICS, Floats
from exporter.rows import Labels
from exporter.schema import Schema


def calibrated(schema: Schema, labels: Labels | None) -> Schema:
    """Return ``schema`` with the calibration that labelled rows give, where there is one."""
    if labels is None or schema.score_edges is None or not labels.size:
        return schema
    layout = Layout(schema, STATISTICS.values())
    summary = layout.fold(None, labels)
    if schema.task == "binary":
        counts = layout.view(summary, "label_score_bins")
        positive = schema.positive_code
        if counts is None or positive is None:
            return schema
        table = isotonic(counts[positive], counts.sum(axis=0)).reshape(1, -1)
    else:
        counts = layout.view(summary, "class_score_bins")
        if counts is None:
            return schema
        table = np.array([isotonic(own, every) for own, every in counts])
    return replace(schema, calibration=table)


def isotonic(positives: Floats, counts: Floats) -> Floats:
    """Return the ascending probabilities that fit ``positives`` of ``counts`` best.

    Pooling of adjacent violators (Ayer et al. 1955). Empty bins lie on the line between their
    neighbours.
    """
    known = np.flatnonzero(counts)
    if not len(known):
        return np.zeros(len(counts))
    blocks: list[list[float]] = []
    for p, n in zip(positives[known].tolist(), counts[known].tolist(), strict=True):
        blocks.append([p, n, 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    fitted = np.concatenate([np.full(int(size), p / n) for p, n, size in blocks])
    return np.asarray(np.interp(np.arange(len(counts)), known, fitted))
