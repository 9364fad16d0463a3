"""Checked columns: every value within the limits of an event, whatever format it came in.

Each check looks at a whole column; only a column that holds something wrong is looked at value by
value, to say where.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from exporter.events import (
    MAX_CLASS,
    MAX_FEATURE,
    MAX_ID,
    MAX_MODEL,
    MAX_VERSION,
    OTHER_CLASS,
    TASKS,
    FieldError,
    Rejection,
    Value,
    check_name,
    kind_of,
    parse_time,
    shown,
)
from exporter.ingest.formats import Raw

Floats = NDArray[np.float64]
Features = Sequence[Mapping[str, Any] | None] | Mapping[str, Sequence[Any]]

_NUMBERS: Final = frozenset({int, float, type(None)})
_VALUES: Final = frozenset({int, float, bool, str, type(None)})
_MAX_SCORES: Final = 1000
_LARGEST: Final = float(np.finfo(np.float64).max)


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

        def pick(column: Any) -> Any:
            if column is None:
                return None
            if isinstance(column, np.ndarray):
                return column[index]
            if isinstance(column, dict):
                return {name: pick(values) for name, values in column.items()}
            return [column[i] for i in which]

        return Columns(*(pick(getattr(self, name)) for name in self.__dataclass_fields__))


class _Check:
    """One body's columns while they are checked; the first fault of an event is the one told."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.size = len(raw.at)
        self.bad: dict[int, tuple[str, str]] = {}

    def reject(self, i: int, field: str, error: str) -> None:
        self.bad.setdefault(i, (field, error))

    def each(self, field: str, check: Callable[[Any], Any]) -> list[Any]:
        """Return what ``check`` makes of each value; where it raises, the event is rejected."""
        checked = []
        for i, value in enumerate(self.raw.fields[field]):
            try:
                checked.append(None if value is None else check(value))
            except FieldError as error:
                self.reject(i, error.field, error.error)
                checked.append(None)
        return checked

    def names(self, field: str, longest: int) -> list[str | None] | None:
        column = self.raw.fields.get(field)
        if column is None:
            return None
        try:
            for value in set(column):
                if value is not None:
                    check_name(field, value, longest)
            return list(column)
        except (FieldError, TypeError):
            return self.each(field, lambda value: check_name(field, value, longest))

    def numbers(self, field: str, low: float, high: float, allowed: str) -> Floats | None:
        column = self.raw.fields.get(field)
        if column is None:
            return None
        numbers = _as_numbers(column)
        if numbers is not None and _within(numbers, low, high):
            return numbers

        def check(value: Any) -> float:
            number = _number(field, value)
            if not low <= number <= high:
                raise FieldError(field, f"must be {allowed}, got {shown(value)}")
            return number

        return np.array(self.each(field, check), np.float64)

    def values(self, field: str) -> list[Value | None] | None:
        column = self.raw.fields.get(field)
        if column is None:
            return None
        if isinstance(column, np.ndarray):
            column = [None if value != value else value for value in column.tolist()]
            self.raw.fields[field] = column
        kinds = set(map(type, column))
        if kinds <= _NUMBERS:
            numbers = _as_numbers(column)
            if numbers is not None and not np.isinf(numbers).any():
                return list(column)
        elif kinds <= _VALUES and float not in kinds:
            texts = [v for v in column if type(v) is str] if str in kinds else []
            if not texts or _are_classes(texts):
                whole = [abs(v) for v in column if type(v) is int] if int in kinds else []
                if max(whole, default=0) <= _LARGEST:
                    return list(column)
        return self.each(field, lambda value: _class_or_number(field, value))


def check(raw: Raw) -> tuple[Columns, list[Rejection]]:
    """Return the good events of ``raw`` and why the others are not."""
    todo = _Check(raw)
    columns = Columns(
        at=raw.at,
        model=_models(todo),
        version=todo.names("version", MAX_VERSION),
        id=_ids(todo),
        ts=_times(todo),
        task=_tasks(todo),
        prediction=todo.values("prediction"),
        score=todo.numbers("score", 0.0, 1.0, "between 0 and 1"),
        scores=_scores(todo),
        label=todo.values("label"),
        features=_features(todo),
        latency=todo.numbers("latency_seconds", 0.0, _LARGEST, "at least 0"),
    )
    _segments(todo)
    _carries_something(todo, columns)
    rejected = [Rejection(raw.at[i], *fault) for i, fault in todo.bad.items()] + raw.rejected
    if todo.bad:
        columns = columns.take([i for i in range(todo.size) if i not in todo.bad])
    return columns, sorted(rejected)


def _models(todo: _Check) -> list[str]:
    names = todo.names("model", MAX_MODEL) or [None] * todo.size
    if None in names:
        for i, name in enumerate(names):
            if name is None:
                todo.reject(i, "model", "is required (in the event, or in the header X-Model)")
    return [name or "" for name in names]


def _ids(todo: _Check) -> list[str | None] | None:
    column = todo.raw.fields.get("id")
    if column is None:
        return None
    kinds = set(map(type, column))
    if kinds == {str} and min(map(len, column)) > 0 and max(map(len, column)) <= MAX_ID:
        return list(column)
    return todo.each("id", _id)


def _id(value: Any) -> str:
    if type(value) is int:
        return str(value)
    if type(value) is not str:
        raise FieldError("id", f"must be a string or an integer, got {shown(value)}")
    if not 0 < len(value) <= MAX_ID:
        raise FieldError("id", f"must be 1-{MAX_ID} characters, got {len(value)}")
    return value


def _times(todo: _Check) -> Floats | None:
    column = todo.raw.fields.get("ts")
    if column is None:
        return None
    numbers = _as_numbers(column)
    if numbers is not None and _within(numbers, 0.0, 9.9e10):
        return numbers

    def check(value: Any) -> float:
        if type(value) not in (int, float, str):
            raise FieldError("ts", f"must be Unix seconds or RFC 3339, got {kind_of(value)}")
        return parse_time(value if type(value) is str else _number("ts", value))

    return np.array(todo.each("ts", check), np.float64)


def _tasks(todo: _Check) -> list[str | None] | None:
    if "task" not in todo.raw.fields:
        return None

    def check(value: Any) -> str:
        if type(value) is not str or value not in TASKS:
            raise FieldError("task", f"must be one of {', '.join(TASKS)}, got {shown(value)}")
        return value

    return todo.each("task", check)


def _scores(todo: _Check) -> list[Mapping[str, float] | None] | None:
    if "scores" not in todo.raw.fields:
        return None
    column = todo.raw.fields["scores"]
    if set(map(type, column)) <= {dict, type(None)}:
        rows = [row for row in column if row is not None]
        values = list(chain.from_iterable(row.values() for row in rows))
        numbers = _as_numbers(values)
        keys = set(chain.from_iterable(rows))
        sizes = {len(row) for row in rows}
        if (
            None not in values
            and numbers is not None
            and _within(numbers, 0.0, 1.0)
            and (not keys or _are_classes(keys))
            and min(sizes, default=1) > 0
            and max(sizes, default=1) <= _MAX_SCORES
        ):
            return list(column)
    return todo.each("scores", _score_row)


def _score_row(row: Any) -> dict[str, float]:
    if not isinstance(row, dict):
        raise FieldError("scores", f"must be an object of class to score, got {kind_of(row)}")
    if not 0 < len(row) <= _MAX_SCORES:
        raise FieldError("scores", f"must hold 1-{_MAX_SCORES} classes, got {len(row)}")
    for name, value in row.items():
        _class("scores", name)
        number = _number(f"scores.{shown(name)}", value)
        if not 0.0 <= number <= 1.0:
            raise FieldError(f"scores.{name}", f"must be between 0 and 1, got {shown(value)}")
    return row


def _features(todo: _Check) -> Features | None:
    column = todo.raw.fields.get("features")
    if column is None:
        return None
    if isinstance(column, dict):
        return _feature_columns(todo, column)
    if set(map(type, column)) <= {dict, type(None)}:
        rows = [row for row in column if row]
        names = set(chain.from_iterable(rows))
        kinds = set(map(type, chain.from_iterable(row.values() for row in rows)))
        if kinds <= _VALUES and all(0 < len(name) <= MAX_FEATURE for name in names):
            return list(column)
    return todo.each("features", _feature_row)


def _feature_columns(todo: _Check, table: dict[str, Any]) -> Features:
    for name, values in table.items():
        if not 0 < len(name) <= MAX_FEATURE:
            for i in range(todo.size):
                todo.reject(i, "features", f"a name must be 1-{MAX_FEATURE} characters")
        elif not isinstance(values, np.ndarray) and not set(map(type, values)) <= _VALUES:
            for i, value in enumerate(values):
                if type(value) not in _VALUES:
                    todo.reject(i, f"features.{name}", _feature_error(value))
    return table


def _feature_row(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise FieldError("features", f"must be an object of name to value, got {kind_of(row)}")
    for name, value in row.items():
        if not 0 < len(name) <= MAX_FEATURE:
            raise FieldError("features", f"a name must be 1-{MAX_FEATURE} characters")
        if type(value) not in _VALUES:
            raise FieldError(f"features.{name}", _feature_error(value))
    return row


def _feature_error(value: Any) -> str:
    return f"must be a number, a string, a boolean or null, got {kind_of(value)}"


def _segments(todo: _Check) -> None:
    """Check the segments: they are kept only where they are configured."""

    def check(row: Any) -> Any:
        if not isinstance(row, dict) or not all(type(value) is str for value in row.values()):
            raise FieldError("segments", "must be an object of name to string")
        return row

    if "segments" in todo.raw.fields:
        todo.each("segments", check)


def _carries_something(todo: _Check, columns: Columns) -> None:
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


def _as_numbers(column: Any) -> Floats | None:
    """Return a column of numbers and nulls with NaN for null; ``None`` if it is not one."""
    if isinstance(column, np.ndarray):
        return column if column.dtype == np.float64 else None
    if not set(map(type, column)) <= _NUMBERS:
        return None
    try:
        numbers = np.array(column, np.float64)
    except OverflowError:
        return None
    # A NaN that was sent is a fault, not an absent field.
    return numbers if np.count_nonzero(np.isnan(numbers)) == column.count(None) else None


def _within(numbers: Floats, low: float, high: float) -> bool:
    return not bool(((numbers < low) | (numbers > high)).any())


def _number(field: str, value: Any) -> float:
    if type(value) not in (int, float):
        raise FieldError(field, f"must be a number, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isnan(number):
        raise FieldError(field, "must be a number, got NaN")
    return number


def _are_classes(names: Collection[str]) -> bool:
    """Return whether all of ``names`` may name a class; there is at least one."""
    lengths = list(map(len, names))
    return min(lengths) > 0 and max(lengths) <= MAX_CLASS and OTHER_CLASS not in names


def _class(field: str, name: str) -> str:
    if not 0 < len(name) <= MAX_CLASS:
        raise FieldError(field, f"must be 1-{MAX_CLASS} characters, got {len(name)}")
    if name == OTHER_CLASS:
        raise FieldError(field, f"{OTHER_CLASS} is reserved for the classes over the bound")
    return name


def _class_or_number(field: str, value: Any) -> Value:
    if type(value) is str:
        return _class(field, value)
    if type(value) is bool:
        return value
    if type(value) not in (int, float):
        raise FieldError(field, f"must be a string, a boolean or a number, got {kind_of(value)}")
    if not math.isfinite(_number(field, value)):
        raise FieldError(field, f"must be finite, got {shown(value)}")
    result: Value = value
    return result
