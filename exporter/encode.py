"""Events to numbers: classes become codes, scores columns.

Everything that is encoded is free of faults, and its task is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from exporter.events import OTHER_CLASS, Value, class_name
from exporter.ingest.columns import Columns, Floats
from exporter.known import Codes, Known
from exporter.schema import Schema


class Remembered(NamedTuple):
    """What of a pending prediction fits no column."""

    name: str | None
    """The true class, where it has no code of its own."""
    scores: bytes | None
    """Class probabilities: float64, by code."""


@dataclass
class Encoded:
    """Predictions as numbers: columns of equal length."""

    size: int
    code: Codes | None
    value: Floats | None
    scores: Floats | None
    extra: list[Remembered | None] | None

    def take(self, which: Sequence[int]) -> Encoded:
        """Return the predictions at the positions ``which``."""
        if len(which) == self.size:
            return self
        index = np.array(which, np.int64)
        return Encoded(
            len(index),
            None if self.code is None else self.code[index],
            None if self.value is None else self.value[index],
            None if self.scores is None else self.scores[index],
            None if self.extra is None else [self.extra[i] for i in which],
        )


class Encoder:
    """Encodes the events of one model version; what it meets for the first time becomes known."""

    def __init__(self, known: Known) -> None:
        self._known = known

    @property
    def _schema(self) -> Schema:
        """What is known by now."""
        assert self._known.schema is not None
        return self._known.schema

    def predictions(self, columns: Columns) -> Encoded:
        """Return predictions, all of them free of faults, as numbers."""
        schema = self._schema
        if schema.task == "regression":
            assert columns.prediction is not None
            numbers = np.array(columns.prediction, np.float64)
            return Encoded(len(columns), None, numbers, None, None)
        self._known.note_scores(columns)
        if schema.task == "binary" and columns.prediction is None:
            return self._by_score_alone(columns)
        values = self._predicted_values(columns)
        if self._schema.task == "multiclass" and columns.scores:
            self._known.admit(name for row in columns.scores if row for name in row)
        code = self._encode(values)
        self._known.over_classes += int(self._known.over(code).sum())
        if schema.task == "binary":
            self._learn_positive(code, columns.score)
        scores = self._score_matrix(columns)
        extra = self._extra(values, code, scores)
        return Encoded(len(columns), code, columns.score, scores, extra)

    def _by_score_alone(self, columns: Columns) -> Encoded:
        """Return predictions of a binary model that name no class: two codes, looked up by row."""
        assert columns.score is not None
        above = columns.score >= self._schema.threshold
        code = self._encode(self._known.pair())[above.astype(np.int64)]
        self._learn_positive(code, columns.score)
        return Encoded(len(columns), code, columns.score, None, None)

    def labels(
        self, values: Sequence[Value], beside: Codes | None = None
    ) -> tuple[Codes | None, Floats | None, Sequence[str | None] | None]:
        """Return labels as codes or as numbers, and the names of those without a code.

        ``beside`` are the predictions that came in the same events, if they did.
        """
        if self._schema.task == "regression":
            return None, np.array(values, np.float64), None
        code = self._encode(values)
        over = self._known.over(code)
        if beside is not None:  # counted with their predictions
            over &= ~self._known.over(beside)
        self._known.over_classes += int(over.sum())
        return code, None, self._true_names(values, code)

    def _learn_positive(self, code: Codes, score: Floats | None) -> None:
        """The class predicted at or above the threshold is positive, if nothing else says."""
        if self._schema.positive is not None or score is None:
            return
        above = np.flatnonzero(score >= self._schema.threshold)
        if len(above):
            name = self._schema.classes[int(code[above[0]])]
            self._known.learn_positive(name, float(score[above[0]]))

    def _predicted_values(self, columns: Columns) -> Sequence[Value]:
        """Return the predicted class of each event, by its score where it names none."""
        if columns.prediction is not None and None not in columns.prediction:
            return columns.prediction  # type: ignore[return-value]
        best: list[Value | None]
        if self._schema.task == "multiclass":
            assert columns.scores is not None
            best = [max(row, key=row.__getitem__) if row else None for row in columns.scores]
        else:
            assert columns.score is not None
            pair = self._known.pair()
            best = [pair[above] for above in (columns.score >= self._schema.threshold).tolist()]
        if columns.prediction is None:
            return best  # type: ignore[return-value]
        pairs = zip(columns.prediction, best, strict=True)
        return [b if value is None else value for value, b in pairs]  # type: ignore[misc]

    def _encode(self, values: Sequence[Value]) -> Codes:
        codes: list[Any] = list(map(self._known.codes.get, values))
        if None in codes:
            self._known.admit(
                class_name(v) for v, code in zip(values, codes, strict=True) if code is None
            )
            known, other = self._schema.codes, self._schema.codes.get(OTHER_CLASS, 0)
            for i, value in enumerate(values):
                if codes[i] is None:
                    name = class_name(value)
                    codes[i] = known.get(name, other)
                    if name in known and name != OTHER_CLASS:
                        self._known.codes[value] = codes[i]
        return np.array(codes, np.int64)

    def _true_names(self, values: Sequence[Value], code: Codes) -> list[str | None] | None:
        other = self._schema.codes.get(OTHER_CLASS)
        if other is None or not (code == other).any():
            return None
        return [
            class_name(value) if known == other else None
            for value, known in zip(values, code.tolist(), strict=True)
        ]

    def _score_matrix(self, columns: Columns) -> Floats | None:
        """Return (events, classes) probabilities; classes over the bound share the last column."""
        schema = self._schema
        if columns.scores is None or schema.task != "multiclass":
            return None
        rows: list[Mapping[str, float]] = [row or {} for row in columns.scores]
        matrix = np.array(
            [[row.get(name, 0.0) for name in schema.classes] for row in rows], np.float64
        ).reshape(len(rows), len(schema.classes))
        other = schema.codes.get(OTHER_CLASS)
        if other is not None:
            known = schema.codes
            matrix[:, other] = [sum(p for n, p in row.items() if n not in known) for row in rows]
        matrix[[row is None for row in columns.scores]] = np.nan
        return matrix

    def _extra(
        self, values: Sequence[Value], code: Codes, scores: Floats | None
    ) -> list[Remembered | None] | None:
        names = self._true_names(values, code)
        if names is None and scores is None:
            return None
        packed = [None] * len(values) if scores is None else [row.tobytes() for row in scores]
        return [
            None if name is None and row is None else Remembered(name, row)
            for name, row in zip(names or [None] * len(values), packed, strict=True)
        ]
