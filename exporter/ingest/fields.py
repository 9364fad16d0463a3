"""The fields of an event, a whole column at a time: what is wrong is told with its place.

Only a column that holds something wrong is looked at value by value, to say where.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from typing import Any, Final, cast

import numpy as np

from exporter.coded import Coded
from exporter.events import (
    MAX_FEATURE,
    MAX_ID,
    MAX_MODEL,
    TASKS,
    FieldError,
    Value,
    check_name,
    kind_of,
    parse_time,
    shown,
)
from exporter.ingest.formats import Raw
from exporter.ingest.values import (
    LARGEST,
    NUMBERS,
    VALUES,
    Floats,
    all_short,
    any_long,
    are_classes,
    as_numbers,
    class_of,
    class_or_number,
    floats,
    number_of,
    short,
    within,
)

Features = Sequence[Mapping[str, Any] | None] | Mapping[str, Sequence[Any]]

_MAX_SCORES: Final = 1000
_MANY: Final = 64
"""From so many rows on it is cheaper to turn them into columns first."""
_FLOATS: Final = frozenset({float, type(None)})
_TEXTS: Final = frozenset({str, type(None)})


class Check:
    """One body's columns while they are checked; the first fault of an event is the one told."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.size = len(raw.at)
        self.bad: dict[int, tuple[str, str]] = {}

    def reject(self, i: int, field: str, error: str) -> None:
        """Reject the event at position ``i``, if nothing else was wrong with it before."""
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
        """Return a column of names of models or versions."""
        column = self.raw.fields.get(field)
        if column is None:
            return None
        alike = isinstance(column, list) and column and column.count(column[0]) == len(column)
        some = column[:1] if alike else column
        # Only texts are put into a set: see short().
        if set(map(type, some)) <= _TEXTS:
            with suppress(FieldError):
                for value in set(some) - {None}:
                    check_name(field, value, longest)
                return list(column)
        return self.each(field, lambda value: check_name(field, value, longest))

    def numbers(self, field: str, low: float, high: float, allowed: str) -> Floats | None:
        """Return a column of numbers between ``low`` and ``high``, NaN where there is none."""
        column = self.raw.fields.get(field)
        if column is None:
            return None
        numbers = as_numbers(column)
        if numbers is not None and within(numbers, low, high):
            return numbers

        def check(value: Any) -> float:
            number = number_of(field, value)
            if not low <= number <= high:
                raise FieldError(field, f"must be {allowed}, got {shown(value)}")
            return number

        return np.array(self.each(field, check), np.float64)

    def values(self, field: str) -> list[Value | None] | None:
        """Return a column of classes or numbers."""
        column = self.raw.fields.get(field)
        if column is None:
            return None
        if isinstance(column, np.ndarray):
            column = [None if value != value else value for value in column.tolist()]
            self.raw.fields[field] = column
        kinds = set(map(type, column))
        if kinds <= NUMBERS:
            numbers = as_numbers(column)
            if numbers is not None and not np.isinf(numbers).any():
                return list(all_short(column) if int in kinds else column)
        elif kinds <= VALUES and float not in kinds:
            texts = [v for v in column if type(v) is str] if str in kinds else []
            if not texts or are_classes(texts):
                whole = [abs(v) for v in column if type(v) is int] if int in kinds else []
                if max(whole, default=0) <= LARGEST:
                    return list(all_short(column) if whole else column)
        return self.each(field, lambda value: class_or_number(field, value))


def models(todo: Check) -> list[str]:
    """Return the model of each event; it is required."""
    names = todo.names("model", MAX_MODEL) or [None] * todo.size
    if None not in names:
        return cast("list[str]", names)
    for i, name in enumerate(names):
        if name is None:
            todo.reject(i, "model", "is required (in the event, or in the header X-Model)")
    return [name or "" for name in names]


def ids(todo: Check) -> list[str | None] | None:
    """Return ids as strings."""
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


def times(todo: Check) -> Floats | None:
    """Return event times in Unix seconds, NaN where there is none."""
    column = todo.raw.fields.get("ts")
    if column is None:
        return None
    numbers = as_numbers(column)
    if numbers is not None and within(numbers, 0.0, 9.9e10):
        return numbers

    def check(value: Any) -> float:
        if type(value) not in (int, float, str):
            raise FieldError("ts", f"must be Unix seconds or RFC 3339, got {kind_of(value)}")
        return parse_time(value if type(value) is str else number_of("ts", value))

    return np.array(todo.each("ts", check), np.float64)


def tasks(todo: Check) -> list[str | None] | None:
    """Return the tasks that events name."""
    if "task" not in todo.raw.fields:
        return None

    def check(value: Any) -> str:
        if type(value) is not str or value not in TASKS:
            raise FieldError("task", f"must be one of {', '.join(TASKS)}, got {shown(value)}")
        return value

    return todo.each("task", check)


def scores(todo: Check) -> list[Mapping[str, float] | None] | None:
    """Return class probabilities, an object an event."""
    if "scores" not in todo.raw.fields:
        return None
    column = todo.raw.fields["scores"]
    if set(map(type, column)) <= {dict, type(None)}:
        rows = [row for row in column if row is not None]
        values = list(chain.from_iterable(row.values() for row in rows))
        numbers = as_numbers(values)
        keys = set(chain.from_iterable(rows))
        sizes = {len(row) for row in rows}
        if (
            None not in values
            and numbers is not None
            and within(numbers, 0.0, 1.0)
            and (not keys or are_classes(keys))
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
        class_of("scores", name)
        number = number_of(f"scores.{shown(name)}", value)
        if not 0.0 <= number <= 1.0:
            raise FieldError(f"scores.{name}", f"must be between 0 and 1, got {shown(value)}")
    return row


def features(todo: Check) -> Features | None:
    """Return features, as objects or as columns, whichever way they came."""
    column = todo.raw.fields.get("features")
    if column is None:
        return None
    if isinstance(column, dict):
        return _feature_columns(todo, column)
    if len(column) >= _MANY and (table := _turned(column)) is not None:
        return table
    if set(map(type, column)) <= {dict, type(None)}:
        rows = [row for row in column if row]
        names = set(chain.from_iterable(rows))
        kinds = set(map(type, chain.from_iterable(row.values() for row in rows)))
        if kinds <= VALUES and all(0 < len(name) <= MAX_FEATURE for name in names):
            if int in kinds and any(any_long(row.values()) for row in rows):
                return [row and _shortened(row) for row in column]
            return list(column)
    return todo.each("features", _feature_row)


def _turned(rows: Sequence[Any]) -> dict[str, Any] | None:
    """Return rows that all have the same names, and nothing wrong in them, as columns."""
    if set(map(type, rows)) != {dict} or set(map(len, rows)) != {len(rows[0])}:
        return None
    names = list(rows[0])
    if len(names) < 2 or not all(0 < len(name) <= MAX_FEATURE for name in names):
        return None
    try:
        flat = list(chain.from_iterable(map(itemgetter(*names), rows)))
    except KeyError:
        return None
    columns = {name: _column(flat[place :: len(names)]) for place, name in enumerate(names)}
    return None if any(column is None for column in columns.values()) else columns


def _column(values: Any) -> Any:
    """Return a feature's values, as an array if they are floats: NaN is missing there too.

    ``None`` stands for a column that holds what a feature may not be.
    """
    if isinstance(values, Coded):
        return values if set(map(type, values.values)) <= VALUES else None
    if (numbers := floats(values)) is not None:
        return numbers
    kinds = set(map(type, values))
    if not kinds <= VALUES:
        return None
    if float in kinds and kinds <= _FLOATS:
        return np.array(values, np.float64)
    return all_short(values) if int in kinds else values


def _feature_columns(todo: Check, table: dict[str, Any]) -> Features:
    checked: dict[str, Any] = {}
    for name, values in table.items():
        if not 0 < len(name) <= MAX_FEATURE:
            for i in range(todo.size):
                todo.reject(i, "features", f"a name must be 1-{MAX_FEATURE} characters")
        elif isinstance(values, np.ndarray):
            checked[name] = values
        else:
            checked[name] = _feature_column(todo, name, values)
    return checked


def _feature_column(todo: Check, name: str, values: Any) -> Any:
    column = _column(values)
    if column is not None:
        return column
    for i, value in enumerate(values):
        if type(value) not in VALUES:
            todo.reject(i, f"features.{name}", _feature_error(value))
    return list(map(short, values))


def _feature_row(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise FieldError("features", f"must be an object of name to value, got {kind_of(row)}")
    for name, value in row.items():
        if not 0 < len(name) <= MAX_FEATURE:
            raise FieldError("features", f"a name must be 1-{MAX_FEATURE} characters")
        if type(value) not in VALUES:
            raise FieldError(f"features.{name}", _feature_error(value))
    return _shortened(row)


def _shortened(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: short(value) for name, value in row.items()}


def _feature_error(value: Any) -> str:
    return f"must be a number, a string, a boolean or null, got {kind_of(value)}"


def segments(todo: Check) -> None:
    """Check the segments: they are kept only where they are configured."""

    def check(row: Any) -> Any:
        if not isinstance(row, dict) or not all(type(value) is str for value in row.values()):
            raise FieldError("segments", "must be an object of name to string")
        return row

    if "segments" in todo.raw.fields:
        todo.each("segments", check)
