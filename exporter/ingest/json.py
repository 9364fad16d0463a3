"""``application/json``: an object, an array of objects, or columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from exporter.events import Rejection, kind_of
from exporter.ingest.formats import BodyError, Raw, check_count, wire_format

FIELDS: Final = (
    "model", "version", "id", "ts", "task", "prediction", "score", "scores", "label", "features",
    "segments", "latency_seconds",
)  # fmt: skip
_GROUPS: Final = ("features", "scores", "segments")


class Event(msgspec.Struct, gc=False):
    """An event as it came, its fields in the order of ``FIELDS``: any may hold anything."""

    model: Any = None
    version: Any = None
    id: Any = None
    ts: Any = None
    task: Any = None
    prediction: Any = None
    score: Any = None
    scores: Any = None
    label: Any = None
    features: Any = None
    segments: Any = None
    latency_seconds: Any = None
    columns: Any = None


_EVENT = msgspec.json.Decoder(Event)
_EVENTS = msgspec.json.Decoder(list[Event])
_ANYTHING = msgspec.json.Decoder()


@wire_format("application/json")
def decode_json(body: bytes) -> Raw:
    """Return the events of a JSON body."""
    head = body.lstrip()[:1]
    try:
        if head == b"[":
            return rows(_EVENTS.decode(body))
        if head == b"{":
            return _one(_EVENT.decode(body))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    return _anything(parse(body))


def parse(body: bytes) -> Any:
    """Return the JSON value of ``body``; ``NaN`` and ``Infinity`` are read, to be judged later.

    Raises :class:`BodyError` with the position of what is wrong.
    """
    try:
        return _ANYTHING.decode(body)
    except RecursionError:
        raise BodyError("body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        value = json.loads(body.decode("utf-8"), parse_int=_integer)
        if rb"\ud" in body.lower():
            # Half a surrogate pair is no text: it could not be written out again.
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError:
        raise BodyError("body holds half a surrogate pair") from None
    except RecursionError:
        raise BodyError("body is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise BodyError("body is not UTF-8", {"position": error.start}) from None
    except json.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno, "position": error.pos}
        raise BodyError(f"body is not JSON: {error.msg}", place) from None


def _integer(digits: str) -> int | float:
    """Read an integer; one too long for any use becomes a float, as it would in JavaScript."""
    return int(digits) if len(digits) <= 300 else float(digits)


def _anything(value: Any) -> Raw:
    if isinstance(value, dict):
        return _one(_event(value))
    if not isinstance(value, list):
        raise BodyError(f"body must be an object or an array, got {kind_of(value)}")
    return objects(value)


def objects(values: Sequence[Any]) -> Raw:
    """Return events from decoded JSON values, one an event; what is no object is rejected."""
    check_count(len(values))
    good = [i for i, value in enumerate(values) if isinstance(value, dict)]
    raw = rows([_event(values[i]) for i in good])
    raw.at = good
    raw.rejected = [
        Rejection(i, "event", f"must be an object, got {kind_of(value)}")
        for i, value in enumerate(values)
        if not isinstance(value, dict)
    ]
    return raw


def _event(value: Mapping[str, Any]) -> Event:
    return Event(**{name: value[name] for name in (*FIELDS, "columns") if name in value})


def _one(event: Event) -> Raw:
    return rows([event]) if event.columns is None else columns(event)


def rows(events: Sequence[Event]) -> Raw:
    """Return events that came one by one."""
    size = check_count(len(events))
    raw = Raw(range(size))
    for name, column in zip(FIELDS, zip(*map(astuple, events), strict=True), strict=False):
        if column.count(None) != size:
            raw.fields[name] = list(column)
    return raw


def columns(event: Event) -> Raw:
    """Return events that came as columns; model, version and task may stand for all of them."""
    if not isinstance(event.columns, dict):
        raise BodyError(f"columns must be an object, got {kind_of(event.columns)}")
    size = check_count(_length(event.columns))
    raw = Raw(range(size))
    for name in FIELDS:
        column = event.columns.get(name)
        if column is not None:
            raw.fields[name] = column if name == "features" else _rows_of(name, column, size)
        elif name in ("model", "version", "task") and getattr(event, name) is not None:
            raw.fields[name] = [getattr(event, name)] * size
    return raw


def _length(table: Mapping[str, Any]) -> int:
    """Return how many events there are; all columns must be equally long."""
    lengths: dict[str, int] = {}
    for name in FIELDS:
        column = table.get(name)
        if column is None:
            continue
        parts = {name: column}
        if name in _GROUPS:
            if not isinstance(column, dict):
                raise BodyError(f"columns.{name} must be an object of arrays")
            parts = {f"{name}.{key}": values for key, values in column.items()}
        for path, values in parts.items():
            if not isinstance(values, list):
                raise BodyError(f"columns.{path} must be an array, got {kind_of(values)}")
            lengths[path] = len(values)
    if len(set(lengths.values())) > 1:
        raise BodyError("columns must be equally long", {"lengths": lengths})
    return next(iter(lengths.values()), 0)


def _rows_of(name: str, column: Any, size: int) -> Any:
    if name not in _GROUPS:
        return column
    keys = list(column)
    if not keys:
        return [None] * size
    return [
        {key: value for key, value in zip(keys, row, strict=True) if value is not None} or None
        for row in zip(*column.values(), strict=True)
    ]
