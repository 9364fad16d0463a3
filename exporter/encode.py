"""Names to codes: the task of a model, its classes, and what contradicts them.

The task is fixed by configuration, or by the first prediction; labels alone never set it. Classes
get codes in order of first sight. What contradicts the task is a fault of the event, told with its
field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exporter.config import ModelSettings
from exporter.events import OTHER_CLASS, FieldError, Task, Value, class_name
from exporter.ingest.columns import Columns, Floats
from exporter.reference.reference import Reference
from exporter.schema import Schema

Codes = NDArray[np.int64]
Faults = dict[int, tuple[str, str]]


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
    """The task and the classes of one model version."""

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self.schema: Schema | None = None
        self._fixed = settings.task is not None
        self._scored = False
        self._learned: str | None = None
        self._codes: dict[Value, int] = {}
        self.over_classes = 0
        """Classes that were folded into ``__other__``, event by event."""
        if settings.task is not None:
            self._start(settings.task)

    @property
    def task(self) -> Task | None:
        """The task, once it is known."""
        return None if self.schema is None else self.schema.task

    def configure(self, settings: ModelSettings) -> None:
        """Take new settings; the task of a model that has one stays."""
        self.settings = settings
        if self.schema is not None:
            self.schema = replace(self.schema, threshold=settings.threshold)
            self._set_positive()
        elif settings.task is not None:
            self._fixed = True
            self._start(settings.task)

    def adopt(self, reference: Reference | None) -> None:
        """Know what a reference knows: its task, classes, features and bins.

        Raises :class:`FieldError` when the task is another than the one that is known.
        """
        if reference is None:
            if self.schema is not None:
                self.schema = replace(
                    self.schema, bins=(), outputs=None, targets=None, calibration=None
                )
            return
        if self.schema is not None and self.schema.task != reference.schema.task:
            told = f"is {self.schema.task} for this model, the reference is of "
            raise FieldError("task", told + reference.schema.task)
        self.schema = reference.adopted_by(self.schema)
        self._codes.update(self.schema.codes)
        self._codes.pop(OTHER_CLASS, None)
        if self.schema.task == "binary":
            self._learned = self._learned or reference.schema.positive
            self._set_positive()

    def learn_task(self, columns: Columns) -> None:
        """Fix the task by the first event that predicts."""
        if self.schema is not None or not columns.predicts.any():
            return
        first = int(columns.predicts.argmax())
        told = None if columns.task is None else columns.task[first]
        if told is not None:
            self._fixed = True
            self._start(_as_task(told))
        elif columns.scores is not None and columns.scores[first] is not None:
            self._start("multiclass")
        elif _has_score(columns, first) or _is_class(columns, first):
            self._start("binary")
        else:
            self._start("regression")

    def faults(self, columns: Columns) -> Faults:
        """Return what contradicts the task, by position; learns the classes of the rest."""
        schema = self.schema
        faults: Faults = {}
        if schema is None:
            return faults
        if columns.task is not None:
            for i, told in enumerate(columns.task):
                if told is not None and told != schema.task and not self._may_become(told):
                    faults[i] = ("task", f"is {schema.task} for this model, got {told}")
            schema = self.schema or schema
        check = {
            "regression": self._regression_faults,
            "binary": self._binary_faults,
            "multiclass": self._multiclass_faults,
        }[schema.task]
        check(columns, faults)
        return faults

    def predictions(self, columns: Columns) -> Encoded:
        """Return predictions, all of them free of faults, as numbers."""
        schema = self.schema
        assert schema is not None
        if schema.task == "regression":
            assert columns.prediction is not None
            numbers = np.array(columns.prediction, np.float64)
            return Encoded(len(columns), None, numbers, None, None)
        self._scored |= columns.score is not None and not np.isnan(columns.score).all()
        values = self._predicted_values(columns)
        if self.schema is not None and self.schema.task == "multiclass" and columns.scores:
            self._admit(name for row in columns.scores if row for name in row)
        code = self._encode(values)
        if schema.task == "binary":
            self._learn_positive(code, columns.score)
        scores = self._score_matrix(columns)
        extra = self._extra(values, code, scores)
        return Encoded(len(columns), code, columns.score, scores, extra)

    def labels(
        self, values: Sequence[Value]
    ) -> tuple[Codes | None, Floats | None, Sequence[str | None] | None]:
        """Return labels as codes or as numbers, and the names of those without a code."""
        assert self.schema is not None
        if self.schema.task == "regression":
            return None, np.array(values, np.float64), None
        code = self._encode(values)
        return code, None, self._true_names(values, code)

    def label_faults(self, values: Sequence[Value | None]) -> Faults:
        """Return the labels that contradict the task, by position; learns the other classes."""
        faults: Faults = {}
        schema = self.schema
        if schema is None:
            return faults
        if schema.task == "regression":
            for i, value in enumerate(values):
                if value is not None and type(value) not in (int, float):
                    faults[i] = ("task", f"is regression: label must be a number, got {value!r}")
        elif schema.task == "binary":
            self._binary_names("label", values, faults)
        return faults

    def add_features(self, names: Sequence[str]) -> list[str]:
        """Add features that were not seen before; return those that are over the bound."""
        assert self.schema is not None
        self.schema = self.schema.with_features(list(names))
        known = set(self.schema.features)
        return [name for name in names if name not in known]

    def _start(self, task: Task) -> None:
        settings = self.settings
        self.schema = Schema(task=task, threshold=settings.threshold)
        if task != "regression":
            self._admit(settings.classes)
            self._set_positive()

    def _may_become(self, told: str) -> bool:
        """Let a classifier that nobody fixed as binary be told that it is multiclass."""
        if told == "multiclass" and self._open_binary():
            self._become_multiclass()
            return True
        return False

    def _open_binary(self) -> bool:
        return self.task == "binary" and not (
            self._fixed or self._scored or len(self.settings.classes) == 2
        )

    def _become_multiclass(self) -> None:
        assert self.schema is not None
        self.schema = replace(self.schema, task="multiclass", positive=None, calibration=None)

    def _pair(self) -> tuple[str, str]:
        """The negative and the positive class of a model that sends scores alone."""
        positive = self.settings.positive_class or "1"
        others = [name for name in self.settings.classes if name != positive]
        return (others[0] if others else "0"), positive

    def _regression_faults(self, columns: Columns, faults: Faults) -> None:
        for i in np.flatnonzero(columns.predicts).tolist():
            if _has_score(columns, i) or (columns.scores is not None and columns.scores[i]):
                faults.setdefault(i, ("task", "is regression: it takes no score or scores"))
            elif _is_class(columns, i):
                faults.setdefault(i, ("task", "is regression: prediction must be a number"))
        if columns.label is not None:
            _merge(faults, self.label_faults(columns.label))

    def _multiclass_faults(self, columns: Columns, faults: Faults) -> None:
        if columns.score is not None:
            for i in np.flatnonzero(~np.isnan(columns.score)).tolist():
                faults.setdefault(i, ("task", "is multiclass: it takes scores, not score"))

    def _binary_faults(self, columns: Columns, faults: Faults) -> None:
        if columns.scores is not None:
            for i, row in enumerate(columns.scores):
                if row:
                    faults.setdefault(i, ("task", "is binary: it takes score, not scores"))
        self._scored |= columns.score is not None and not np.isnan(columns.score).all()
        if self._scored and columns.score is not None and self._predicts_by_score(columns):
            self._admit(self._pair())
        if columns.prediction is not None:
            self._binary_names("prediction", columns.prediction, faults)
        if columns.label is not None and self.task == "binary":
            self._binary_names("label", columns.label, faults)

    def _predicts_by_score(self, columns: Columns) -> bool:
        if columns.score is None:
            return False
        if columns.prediction is None:
            return True
        return any(
            value is None and score == score
            for value, score in zip(columns.prediction, columns.score.tolist(), strict=True)
        )

    def _binary_names(self, field: str, values: Sequence[Value | None], faults: Faults) -> None:
        """Admit the classes of a binary model: a third is a fault, or makes it multiclass."""
        assert self.schema is not None
        unknown = {v for v in values if v is not None and v not in self._codes}
        if not unknown:
            return
        for i, value in enumerate(values):
            if value is None or value in self._codes or i in faults:
                continue
            name = class_name(value)
            if name not in self.schema.codes and len(self.schema.classes) >= 2:
                if self._open_binary():
                    self._become_multiclass()
                    return
                faults[i] = self._third_class(field, name)
                continue
            self._admit([name])

    def _third_class(self, field: str, name: str) -> tuple[str, str]:
        assert self.schema is not None
        known = " and ".join(repr(known) for known in sorted(self.schema.classes))
        if field == "label":
            return field, (
                f"is {name!r}, but this binary model's classes are {known}; "
                "configure positive_class and classes if they are others"
            )
        return "task", f"is binary with the classes {known}: a third, {name!r}, contradicts it"

    def _admit(self, names: Any) -> None:
        """Give new classes their codes."""
        assert self.schema is not None
        fresh = [name for name in dict.fromkeys(names) if name not in self.schema.codes]
        if fresh and OTHER_CLASS not in self.schema.codes:
            self.schema = self.schema.with_classes(fresh)
            self._codes.update(self.schema.codes)
            self._codes.pop(OTHER_CLASS, None)
            self._set_positive()

    def _set_positive(self) -> None:
        assert self.schema is not None
        if self.schema.task == "binary":
            learned = "1" if "1" in self.schema.codes else self._learned
            positive = self.settings.positive_class or learned
            if positive != self.schema.positive:
                # What a score of the one class tells is not what it tells of the other.
                self.schema = replace(self.schema, positive=positive, calibration=None)

    def _learn_positive(self, code: Codes, score: Floats | None) -> None:
        """The class predicted at or above the threshold is positive, if nothing else says."""
        assert self.schema is not None
        if self.schema.positive is not None or score is None:
            return
        above = np.flatnonzero(score >= self.schema.threshold)
        if len(above):
            self._learned = self.schema.classes[int(code[above[0]])]
            self._set_positive()

    def _predicted_values(self, columns: Columns) -> Sequence[Value]:
        """Return the predicted class of each event, by its score where it names none."""
        if columns.prediction is not None and None not in columns.prediction:
            return columns.prediction  # type: ignore[return-value]
        given: Sequence[Value | None] = columns.prediction or [None] * len(columns)
        if columns.scores is not None:
            best = [max(row, key=row.__getitem__) if row else None for row in columns.scores]
        else:
            assert columns.score is not None
            assert self.schema is not None
            pair = self._pair()
            best = [pair[above] for above in (columns.score >= self.schema.threshold).tolist()]
        return [b if value is None else value for value, b in zip(given, best, strict=True)]  # type: ignore[misc]

    def _encode(self, values: Sequence[Value]) -> Codes:
        codes: list[Any] = list(map(self._codes.get, values))
        if None in codes:
            self._admit(
                class_name(v) for v, code in zip(values, codes, strict=True) if code is None
            )
            assert self.schema is not None
            known, other = self.schema.codes, self.schema.codes.get(OTHER_CLASS, 0)
            for i, value in enumerate(values):
                if codes[i] is None:
                    name = class_name(value)
                    codes[i] = known.get(name, other)
                    self.over_classes += name not in known
                    if name in known and name != OTHER_CLASS:
                        self._codes[value] = codes[i]
        return np.array(codes, np.int64)

    def _true_names(self, values: Sequence[Value], code: Codes) -> list[str | None] | None:
        assert self.schema is not None
        other = self.schema.codes.get(OTHER_CLASS)
        if other is None or not (code == other).any():
            return None
        return [
            class_name(value) if known == other else None
            for value, known in zip(values, code.tolist(), strict=True)
        ]

    def _score_matrix(self, columns: Columns) -> Floats | None:
        """Return (events, classes) probabilities; classes over the bound share the last column."""
        schema = self.schema
        if columns.scores is None or schema is None or schema.task != "multiclass":
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


def _as_task(told: str) -> Task:
    tasks: Mapping[str, Task] = {
        "binary": "binary",
        "multiclass": "multiclass",
        "regression": "regression",
    }
    return tasks[told]


def _has_score(columns: Columns, i: int) -> bool:
    return columns.score is not None and bool(columns.score[i] == columns.score[i])


def _is_class(columns: Columns, i: int) -> bool:
    return columns.prediction is not None and type(columns.prediction[i]) in (str, bool)


def _merge(faults: Faults, more: Faults) -> None:
    for i, fault in more.items():
        faults.setdefault(i, fault)
