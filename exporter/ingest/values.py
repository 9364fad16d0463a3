"""Single values, and columns of numbers: what is told when one is not within its limits."""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from exporter.events import MAX_CLASS, OTHER_CLASS, FieldError, Value, kind_of, shown

Floats = NDArray[np.float64]

NUMBERS: Final = frozenset({int, float, type(None)})
VALUES: Final = frozenset({int, float, bool, str, type(None)})
LARGEST: Final = float(np.finfo(np.float64).max)
_TOO_LONG: Final = 2**64


def short(value: Any) -> Any:
    """Return an integer of more than 64 bits as a float, as it is in JavaScript.

    Python hashes integers modulo 2**61 - 1: long ones can be chosen so that thousands of them make
    every dictionary they are put in slow. And no class may have a name of 300 digits.
    """
    if type(value) is not int or -_TOO_LONG < value < _TOO_LONG:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def any_long(values: Iterable[Any]) -> bool:
    """Return whether :func:`short` would change one of ``values``."""
    whole = [value for value in values if type(value) is int]
    return bool(whole) and not -_TOO_LONG < min(whole) <= max(whole) < _TOO_LONG


def all_short(values: Sequence[Any]) -> Sequence[Any]:
    """Return ``values`` without integers of more than 64 bits."""
    return list(map(short, values)) if any_long(values) else values


def floats(values: Sequence[Any]) -> Floats | None:
    """Return values as an array that can only be read; ``None`` if there is anything but floats."""
    if not len(values) or list(map(type, values)).count(float) != len(values):
        return None
    # A third of the time of np.array, which asks each value what it is.
    return np.frombuffer(struct.pack(f"{len(values)}d", *values))


def as_numbers(column: Any) -> Floats | None:
    """Return a column of numbers and nulls with NaN for null; ``None`` if it is not one."""
    if isinstance(column, np.ndarray):
        return column if column.dtype == np.float64 else None
    if (numbers := floats(column)) is not None:
        # A NaN that was sent is a fault, not an absent field.
        return None if np.isnan(numbers).any() else numbers
    if not set(map(type, column)) <= NUMBERS:
        return None
    try:
        numbers = np.array(column, np.float64)
    except OverflowError:
        return None
    return numbers if np.count_nonzero(np.isnan(numbers)) == column.count(None) else None


def within(numbers: Floats, low: float, high: float) -> bool:
    """Return whether all numbers, but for NaN, lie between ``low`` and ``high``."""
    return not bool(((numbers < low) | (numbers > high)).any())


def number_of(field: str, value: Any) -> float:
    """Return ``value`` as a number (an integer over all floats as infinity), never NaN."""
    if type(value) not in (int, float):
        raise FieldError(field, f"must be a number, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isnan(number):
        raise FieldError(field, "must be a number, got NaN")
    return number


def are_classes(names: Collection[str]) -> bool:
    """Return whether all of ``names`` may name a class; there is at least one."""
    lengths = list(map(len, names))
    return min(lengths) > 0 and max(lengths) <= MAX_CLASS and OTHER_CLASS not in names


def class_of(field: str, name: str) -> str:
    """Return ``name`` if it may name a class, else raise :class:`FieldError`."""
    if not 0 < len(name) <= MAX_CLASS:
        raise FieldError(field, f"must be 1-{MAX_CLASS} characters, got {len(name)}")
    if name == OTHER_CLASS:
        raise FieldError(field, f"{OTHER_CLASS} is reserved for the classes over the bound")
    return name


def class_or_number(field: str, value: Any) -> Value:
    """Return a prediction or a label, if it is one, else raise :class:`FieldError`."""
    if type(value) is str:
        return class_of(field, value)
    if type(value) is bool:
        return value
    if type(value) not in (int, float):
        raise FieldError(field, f"must be a string, a boolean or a number, got {kind_of(value)}")
    if not math.isfinite(number_of(field, value)):
        raise FieldError(field, f"must be finite, got {shown(value)}")
    result: Value = short(value)
    return result
