"""The event record: its fields, their limits, and how classes are named.

Everything a wire format must know about an event stands here; this module imports nothing of ours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Task = Literal["binary", "multiclass", "regression"]
Value = str | bool | int | float
"""A class or a number, as a client sent it."""

TASKS: Final[tuple[Task, ...]] = ("binary", "multiclass", "regression")
DEFAULT_VERSION: Final = "none"
OTHER_CLASS: Final = "__other__"

MAX_MODEL: Final = 128
MAX_VERSION: Final = 64
MAX_ID: Final = 256
MAX_CLASS: Final = 128
MAX_FEATURE: Final = 128
MAX_LISTED_REJECTIONS: Final = 100
MAX_EVENTS: Final = 500_000
"""Events a body: each that is rejected costs much more than the two bytes it may consist of."""
MAX_AHEAD_SECONDS: Final = 300.0
MILLISECONDS_FROM: Final = 1e11
"""A time stamp this large is in the year 5138: surely milliseconds."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*\Z")


@dataclass(frozen=True, order=True, slots=True)
class Rejection:
    """Why one event of a body was not taken."""

    index: int
    """Its place in the body."""
    field: str
    error: str


class FieldError(ValueError):
    """A field that breaks its limits; carries the field's name."""

    def __init__(self, field: str, error: str) -> None:
        super().__init__(error)
        self.field = field
        self.error = error


def check_name(field: str, value: object, longest: int) -> str:
    """Return ``value`` if it may name a model or a version, else raise :class:`FieldError`."""
    if not isinstance(value, str):
        raise FieldError(field, f"must be a string, got {kind_of(value)}")
    if len(value) > longest or not _NAME.match(value):
        raise FieldError(
            field,
            f"must be 1-{longest} characters of A-Z a-z 0-9 . _ : / -, the first alphanumeric, "
            f"got {shown(value)}",
        )
    return value


def class_name(value: Value) -> str:
    """Return the name of a class: ``1``, ``1.0``, ``"1"`` and ``True`` are all ``"1"``."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return str(value)


def parse_time(value: float | str) -> float:
    """Return ``value`` (Unix seconds or an RFC 3339 string) in Unix seconds.

    Raises :class:`FieldError` for anything else, milliseconds included.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or len(value) < len("2026-01-01T00:00Z"):
            raise FieldError(
                "ts", f"must be Unix seconds or RFC 3339 with offset, got {shown(value)}"
            )
        value = moment.timestamp()
    if not math.isfinite(value) or value < 0:
        raise FieldError("ts", f"must be Unix seconds, got {value}")
    if value >= MILLISECONDS_FROM:
        raise FieldError("ts", f"must be Unix seconds, got milliseconds or finer: {value:.0f}")
    return float(value)


def kind_of(value: object) -> str:
    """Return the JSON name of ``value``'s type, for messages."""
    names: Mapping[type, str] = {
        type(None): "null",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)


def shown(value: object) -> str:
    """Return ``value`` short enough for an error message; of a tree only what it is."""
    if isinstance(value, list | dict):
        return kind_of(value)
    text = repr(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."
