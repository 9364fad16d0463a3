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
        """Events with a class that was folded into ``__other__``."""
        if settings.task is not None:
            self._start(settings.task)

    def dump(self) -> dict[str, Any]:
        """Return what was learned as plain objects and arrays."""
        return {
            "schema": None if self.schema is None else self.schema.dump(),
            "fixed": self._fixed,
            "scored": self._scored,
            "learned": self._learned,
            "over_classes": self.over_classes,
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take what was dumped under the same settings."""
        schema = dumped["schema"]
        self.schema = None if schema is None else Schema.load(schema)
        self._fixed, self._scored = dumped["fixed"], dumped["scored"]
        self._learned, self.over_classes = dumped["learned"], dumped["over_classes"]
        known = {} if self.schema is None else self.schema.codes
        self._codes = {name: code for name, code in known.items() if name != OTHER_CLASS}

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
        if schema.task == "binary":
            self._scored |= columns.score is not None and not np.isnan(columns.score).all()
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
        if schema.task == "binary" and columns.prediction is None:
            return self._by_score_alone(columns)
        values = self._predicted_values(columns)
        if self.schema is not None and self.schema.task == "multiclass" and columns.scores:
            self._admit(name for row in columns.scores if row for name in row)
        code = self._encode(values)
        self.over_classes += int(self._over(code).sum())
        if schema.task == "binary":
            self._learn_positive(code, columns.score)
        scores = self._score_matrix(columns)
        extra = self._extra(values, code, scores)
        return Encoded(len(columns), code, columns.score, scores, extra)

    def _by_score_alone(self, columns: Columns) -> Encoded:
        """Return predictions of a binary model that name no class: two codes, looked up by row."""
        assert self.schema is not None
        assert columns.score is not None
        above = columns.score >= self.schema.threshold
        code = self._encode(self._pair())[above.astype(np.int64)]
        self._learn_positive(code, columns.score)
        return Encoded(len(columns), code, columns.score, None, None)

    def labels(
        self, values: Sequence[Value], beside: Codes | None = None
    ) -> tuple[Codes | None, Floats | None, Sequence[str | None] | None]:
        """Return labels as codes or as numbers, and the names of those without a code.

        ``beside`` are the predictions that came in the same events, if they did.
        """
        assert self.schema is not None
        if self.schema.task == "regression":
            return None, np.array(values, np.float64), None
        code = self._encode(values)
        over = self._over(code)
        if beside is not None:  # counted with their predictions
            over &= ~self._over(beside)
        self.over_classes += int(over.sum())
        return code, None, self._true_names(values, code)

    def label_faults(self, values: Sequence[Value | None]) -> Faults:
        """Return the labels that contradict the task, by position; learns the other classes."""
        if self.task != "binary":
            return self.refused_labels(values)
        faults: Faults = {}
        for i, value in enumerate(values):
            if value is not None and value not in self._codes and self.task == "binary":
                fault = self._admit_event([("label", class_name(value))])
                if fault is not None:
                    faults[i] = fault
        return faults

    def refused_labels(self, values: Sequence[Value | None]) -> Faults:
        """Return the labels that contradict what is known by now, by position; learns nothing."""
        schema = self.schema
        if schema is None or schema.task == "multiclass":
            return {}
        if schema.task == "regression":
            return {
                i: ("task", f"is regression: label must be a number, got {value!r}")
                for i, value in enumerate(values)
                if value is not None and type(value) not in (int, float)
            }
        if self._open_binary() or len(schema.classes) < 2:
            return {}
        return {
            i: self._third_class("label", class_name(value))
            for i, value in enumerate(values)
            if value is not None and class_name(value) not in schema.codes
        }

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
        """Return the negative and the positive class that a score alone predicts."""
        assert self.schema is not None
        known, positive = self.schema.classes, self.schema.positive
        if len(known) == 2 and positive in known:
            return known[1 - known.index(positive)], positive
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
        assert self.schema is not None
        named = (columns.prediction, columns.label)
        names = {v for column in named if column is not None for v in set(column)}
        by_score = self._by_score(columns)
        known_pair = not by_score.any() or set(self._pair()) <= self.schema.codes.keys()
        if not known_pair or not names <= {None, *self._codes}:
            self._admit_in_order(columns, by_score, faults)

    def _by_score(self, columns: Columns) -> NDArray[np.bool_]:
        """Return which of the events predict by their score alone."""
        if columns.score is None:
            return np.zeros(len(columns), np.bool_)
        scored: NDArray[np.bool_] = ~np.isnan(columns.score)
        if columns.prediction is not None:
            scored &= np.array([value is None for value in columns.prediction], np.bool_)
        return scored

    def _admit_in_order(
        self, columns: Columns, by_score: NDArray[np.bool_], faults: Faults
    ) -> None:
        """Admit the classes of a binary model, event by event: batches must not matter."""
        for i in range(len(columns)):
            if i in faults or self.task != "binary":
                continue
            prediction = None if columns.prediction is None else columns.prediction[i]
            label = None if columns.label is None else columns.label[i]
            named = [("score", name) for name in self._pair()] if by_score[i] else []
            given = (("prediction", prediction), ("label", label))
            named += [(field, class_name(value)) for field, value in given if value is not None]
            fault = self._admit_event(named)
            if fault is not None:
                faults[i] = fault
            elif prediction is not None and columns.score is not None:
                self._learn_positive_from(class_name(prediction), columns.score[i])

    def _admit_event(self, named: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
        """Admit the classes that one event names: a third is a fault, or makes it multiclass."""
        assert self.schema is not None
        known = dict.fromkeys(self.schema.classes)
        for field, name in named:
            if name not in known and len(known) >= 2 and self._open_binary():
                self._become_multiclass()
                return None
            if name not in known and len(known) >= 2:
                return self._third_class(field, name)
            known[name] = None
        self._admit(known)
        return None

    def _third_class(self, field: str, name: str) -> tuple[str, str]:
        assert self.schema is not None
        known = " and ".join(repr(known) for known in sorted(self.schema.classes))
        if field != "prediction":
            told = "is" if field == "label" else "alone predicts"
            return field, (
                f"{told} {name!r}, but this binary model's classes are {known}; "
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
            name = self.schema.classes[int(code[above[0]])]
            self._learn_positive_from(name, float(score[above[0]]))

    def _learn_positive_from(self, name: str, score: float) -> None:
        assert self.schema is not None
        if self.schema.positive is None and score >= self.schema.threshold:
            self._learned = name
            self._set_positive()

    def _predicted_values(self, columns: Columns) -> Sequence[Value]:
        """Return the predicted class of each event, by its score where it names none."""
        if columns.prediction is not None and None not in columns.prediction:
            return columns.prediction  # type: ignore[return-value]
        assert self.schema is not None
        best: list[Value | None]
        if self.schema.task == "multiclass":
            assert columns.scores is not None
            best = [max(row, key=row.__getitem__) if row else None for row in columns.scores]
        else:
            assert columns.score is not None
            pair = self._pair()
            best = [pair[above] for above in (columns.score >= self.schema.threshold).tolist()]
        if columns.prediction is None:
            return best  # type: ignore[return-value]
        pairs = zip(columns.prediction, best, strict=True)
        return [b if value is None else value for value, b in pairs]  # type: ignore[misc]

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
                    if name in known and name != OTHER_CLASS:
                        self._codes[value] = codes[i]
        return np.array(codes, np.int64)

    def _over(self, code: Codes) -> NDArray[np.bool_]:
        """Return which of ``code`` stand for a class over the bound."""
        assert self.schema is not None
        over: NDArray[np.bool_] = code == self.schema.codes.get(OTHER_CLASS, -1)
        return over

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
