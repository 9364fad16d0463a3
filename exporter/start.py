"""The start buffer: rows kept raw until enough was seen to set edges and centres.

They count at once: a window of a model that has just started is folded from its raw rows, under
the schema that they would give. When the schema is set, they are folded into their own panes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from exporter.edges import class_edges, score_edges
from exporter.rows import Labels, Predictions, concat, dump_rows, load_rows
from exporter.schema import Floats, Schema

START_ROWS: Final = 1000
START_SECONDS: Final = 600.0

Part = tuple[float, Predictions | None, Labels | None]


@dataclass
class StartBuffer:
    """Raw rows with the time of their arrival, oldest first."""

    since: float
    parts: list[Part] = field(default_factory=list)
    rows: int = 0

    def dump(self) -> dict[str, Any]:
        """Return the rows as plain objects and arrays."""
        parts = [(at, dump_rows(one), dump_rows(other)) for at, one, other in self.parts]
        return {"since": self.since, "parts": parts, "rows": self.rows}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> StartBuffer:
        """Return what was dumped."""
        parts = [
            (at, load_rows(Predictions, one), load_rows(Labels, other))
            for at, one, other in dumped["parts"]
        ]
        return cls(dumped["since"], parts, dumped["rows"])

    def add(self, predictions: Predictions | None, labels: Labels | None, now: float) -> None:
        """Keep rows."""
        self.parts.append((now, predictions, labels))
        self.rows += max(predictions.size if predictions else 0, labels.size if labels else 0)

    def full(self, now: float) -> bool:
        """Return whether the buffer has done its work."""
        return self.rows >= START_ROWS or now - self.since >= START_SECONDS

    def first_after(self, start: float) -> int:
        """Return the place of the first part that arrived at ``start`` or later."""
        return bisect_left(self.parts, start, key=lambda part: part[0])

    def first_of_last(self, labels: int) -> int:
        """Return the place of the first part that holds some of the last ``labels`` labels."""
        place = len(self.parts)
        while place > 0 and labels > 0:
            place -= 1
            rows = self.parts[place][2]
            labels -= rows.size if rows else 0
        return place

    def panes(self, width: float) -> list[Part]:
        """Return the rows gathered by the pane of ``width`` seconds that they arrived in."""
        gathered: dict[int, list[Part]] = {}
        for part in self.parts:
            gathered.setdefault(int(part[0] // width), []).append(part)
        return [(parts[0][0], *merge(parts)) for parts in gathered.values()]

    def schema(self, base: Schema) -> Schema:
        """Return ``base`` with the edges and centres that these rows give."""
        return fitted(base, *merge(self.parts))


def fitted(base: Schema, predictions: Predictions | None, labels: Labels | None) -> Schema:
    """Return ``base`` with edges and centres taken from rows."""
    schema = base
    if predictions is not None and predictions.value is not None:
        values = predictions.value[np.isfinite(predictions.value)]
        if len(values):
            center = float(np.median(values))
            # Labels may come much later: until then, predictions say where they will lie.
            schema = replace(schema, center=center, label_center=center)
    if labels is not None and labels.truth is not None and labels.size:
        schema = replace(schema, label_center=float(np.median(labels.truth)))
    return replace(schema, score_edges=edges(base, predictions, labels))


def edges(base: Schema, predictions: Predictions | None, labels: Labels | None) -> Floats | None:
    """Return score edges that suit the rows, or ``None`` where the model has no scores."""
    column = "scores" if base.task == "multiclass" else "value"
    parts = [getattr(rows, column) for rows in (predictions, labels) if rows is not None]
    known = [part for part in parts if part is not None and len(part)]
    if base.task == "regression" or not known:
        return None
    if base.task == "binary":
        return score_edges(np.concatenate(known), base.threshold)
    wide = np.zeros((sum(map(len, known)), len(base.classes)))
    start = 0
    for part in known:
        wide[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return class_edges(wide[~np.isnan(wide[:, 0])])


def merge(parts: list[Part]) -> tuple[Predictions | None, Labels | None]:
    """Return the rows of ``parts`` one after the other."""
    predictions = [part[1] for part in parts if part[1] is not None]
    labels = [part[2] for part in parts if part[2] is not None]
    return (concat(predictions) if predictions else None, concat(labels) if labels else None)
