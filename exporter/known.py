"""What one model version is known to predict: its task, its classes, its features.

The task is fixed by configuration, or by the first prediction; labels alone never set it. Classes
get codes in order of first sight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.config import ModelSettings
from exporter.events import OTHER_CLASS, FieldError, Task, Value
from exporter.ingest.columns import Columns
from exporter.reference.reference import Reference
from exporter.schema import Schema

Codes = NDArray[np.int64]


class Known:
    """The task, the classes and the features of one model version."""

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self.schema: Schema | None = None
        self._fixed = settings.task is not None
        self._scored = False
        self._learned: str | None = None
        self.codes: dict[Value, int] = {}
        """By a class as events name it: ``1``, ``"1"`` and ``True`` are one."""
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
        self.codes = {name: code for name, code in known.items() if name != OTHER_CLASS}

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
        self.codes.update(self.schema.codes)
        self.codes.pop(OTHER_CLASS, None)
        if self.schema.task == "binary":
            self._learned = self._learned or reference.schema.positive
            self._set_positive()

    def note_scores(self, columns: Columns) -> None:
        """Remember whether predictions come with a score: then no third class may come."""
        self._scored |= columns.score is not None and not bool(np.isnan(columns.score).all())

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
        elif has_score(columns, first) or is_class(columns, first):
            self._start("binary")
        else:
            self._start("regression")

    def add_features(self, names: Sequence[str]) -> list[str]:
        """Add features that were not seen before; return those that are over the bound."""
        assert self.schema is not None
        self.schema = self.schema.with_features(list(names))
        known = set(self.schema.features)
        return [name for name in names if name not in known]

    def may_become(self, told: str) -> bool:
        """Let a classifier that nobody fixed as binary be told that it is multiclass."""
        if told == "multiclass" and self.open_binary():
            self._become_multiclass()
            return True
        return False

    def open_binary(self) -> bool:
        """Return whether a third class would make a multiclass model of it."""
        return self.task == "binary" and not (
            self._fixed or self._scored or len(self.settings.classes) == 2
        )

    def pair(self) -> tuple[str, str]:
        """Return the negative and the positive class that a score alone predicts."""
        assert self.schema is not None
        known, positive = self.schema.classes, self.schema.positive
        if len(known) == 2 and positive in known:
            return known[1 - known.index(positive)], positive
        positive = self.settings.positive_class or "1"
        others = [name for name in self.settings.classes if name != positive]
        return (others[0] if others else "0"), positive

    def admit_event(self, named: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
        """Admit the classes that one event names: a third is a fault, or makes it multiclass."""
        assert self.schema is not None
        known = dict.fromkeys(self.schema.classes)
        for field, name in named:
            if name not in known and len(known) >= 2 and self.open_binary():
                self._become_multiclass()
                return None
            if name not in known and len(known) >= 2:
                return self.third_class(field, name)
            known[name] = None
        self.admit(known)
        return None

    def third_class(self, field: str, name: str) -> tuple[str, str]:
        """Return the fault of a class that a binary model has no place for."""
        assert self.schema is not None
        known = " and ".join(repr(known) for known in sorted(self.schema.classes))
        if field != "prediction":
            told = "is" if field == "label" else "alone predicts"
            return field, (
                f"{told} {name!r}, but this binary model's classes are {known}; "
                "configure positive_class and classes if they are others"
            )
        return "task", f"is binary with the classes {known}: a third, {name!r}, contradicts it"

    def admit(self, names: Iterable[str]) -> None:
        """Give new classes their codes."""
        assert self.schema is not None
        fresh = [name for name in dict.fromkeys(names) if name not in self.schema.codes]
        if fresh and OTHER_CLASS not in self.schema.codes:
            self.schema = self.schema.with_classes(fresh)
            self.codes.update(self.schema.codes)
            self.codes.pop(OTHER_CLASS, None)
            self._set_positive()

    def learn_positive(self, name: str, score: float) -> None:
        """Take a class predicted at or above the threshold for positive, if nothing else says."""
        assert self.schema is not None
        if self.schema.positive is None and score >= self.schema.threshold:
            self._learned = name
            self._set_positive()

    def over(self, code: Codes) -> NDArray[np.bool_]:
        """Return which of ``code`` stand for a class over the bound."""
        assert self.schema is not None
        over: NDArray[np.bool_] = code == self.schema.codes.get(OTHER_CLASS, -1)
        return over

    def _become_multiclass(self) -> None:
        assert self.schema is not None
        self.schema = replace(self.schema, task="multiclass", positive=None, calibration=None)

    def _set_positive(self) -> None:
        assert self.schema is not None
        if self.schema.task == "binary":
            learned = "1" if "1" in self.schema.codes else self._learned
            positive = self.settings.positive_class or learned
            if positive != self.schema.positive:
                # What a score of the one class tells is not what it tells of the other.
                self.schema = replace(self.schema, positive=positive, calibration=None)

    def _start(self, task: Task) -> None:
        settings = self.settings
        self.schema = Schema(task=task, threshold=settings.threshold)
        if task != "regression":
            self.admit(settings.classes)
            self._set_positive()


def has_score(columns: Columns, i: int) -> bool:
    """Return whether an event carries a score."""
    return columns.score is not None and bool(columns.score[i] == columns.score[i])


def is_class(columns: Columns, i: int) -> bool:
    """Return whether what an event predicts can only be a class."""
    return columns.prediction is not None and type(columns.prediction[i]) in (str, bool)


def _as_task(told: str) -> Task:
    tasks: Mapping[str, Task] = {
        "binary": "binary",
        "multiclass": "multiclass",
        "regression": "regression",
    }
    return tasks[told]
