"""Checked columns: every value within the limits of an event, whatever format it came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.coded import Coded
from exporter.events import MAX_VERSION, Rejection, Value
from exporter.ingest import fields
from exporter.ingest.fields import Check, Features
from exporter.ingest.formats import Raw
from exporter.ingest.values import LARGEST, Floats

__all__ = ["Columns", "Features", "Floats", "check"]


@dataclass
class Columns:
    """Events, checked: columns of equal length, ``None`` where no event has the field.

    In ``ts``, ``score`` and ``latency`` an event without the field is NaN; in the others ``None``.
    ``features`` are one object an event, or one column a name.
    """

    at: Sequence[int]
    model: Sequence[str]
    version: Sequence[str | None] | None = None
    id: Sequence[str | None] | None = None
    ts: Floats | None = None
    task: Sequence[str | None] | None = None
    prediction: Sequence[Value | None] | None = None
    score: Floats | None = None
    scores: Sequence[Mapping[str, float] | None] | None = None
    label: Sequence[Value | None] | None = None
    features: Features | None = None
    latency: Floats | None = None
    predicts: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    """Which events carry a prediction; the others carry only a label."""

    def __len__(self) -> int:
        return len(self.at)

    def take(self, which: Sequence[int]) -> Columns:
        """Return the events at the positions ``which``."""
        if len(which) == len(self.at):
            return self
        index = np.array(which, np.int64)
        columns = (getattr(self, name) for name in self.__dataclass_fields__)
        return Columns(*(_picked(column, which, index) for column in columns))


def _picked(column: Any, which: Sequence[int], index: NDArray[np.int64]) -> Any:
    """Return a column's values at positions, which are given in two forms."""
    if column is None:
        return None
    if isinstance(column, np.ndarray):
        return column[index]
    if isinstance(column, Coded):
        return column.take(index)
    if isinstance(column, dict):
        return {name: _picked(values, which, index) for name, values in column.items()}
    return [column[i] for i in which]


def check(raw: Raw) -> tuple[Columns, list[Rejection]]:
    """Return the good events of ``raw`` and why the others are not."""
    todo = Check(raw)
    columns = Columns(
        at=raw.at,
        model=fields.models(todo),
        version=todo.names("version", MAX_VERSION),
        id=fields.ids(todo),
        ts=fields.times(todo),
        task=fields.tasks(todo),
        prediction=todo.values("prediction"),
        score=todo.numbers("score", 0.0, 1.0, "between 0 and 1"),
        scores=fields.scores(todo),
        label=todo.values("label"),
        features=fields.features(todo),
        latency=todo.numbers("latency_seconds", 0.0, LARGEST, "at least 0"),
    )
    fields.segments(todo)
    _carries_something(todo, columns)
    rejected = [Rejection(raw.at[i], *fault) for i, fault in todo.bad.items()] + raw.rejected
    if todo.bad:
        columns = columns.take([i for i in range(todo.size) if i not in todo.bad])
    return columns, sorted(rejected)


def _carries_something(todo: Check, columns: Columns) -> None:
    columns.predicts = predicts = _predicts(columns, todo.size)
    if predicts.all():
        return
    for i in np.flatnonzero(~predicts).tolist():
        if columns.label is None or columns.label[i] is None:
            todo.reject(i, "prediction", "an event must carry a prediction, a score or a label")
        elif columns.id is None or columns.id[i] is None:
            todo.reject(i, "id", "is required for a label without its prediction")


def _predicts(columns: Columns, size: int) -> NDArray[np.bool_]:
    predicts = np.zeros(size, bool)
    for column in (columns.prediction, columns.scores):
        if column is not None:
            predicts |= np.array([value is not None for value in column], bool)
    if columns.score is not None:
        predicts |= columns.score == columns.score
    return predicts
