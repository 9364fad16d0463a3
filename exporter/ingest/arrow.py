"""``application/vnd.apache.arrow.stream``: an Arrow IPC stream, a column a field (extra ``arrow``).

Features are a struct column ``features`` or columns named ``features.<name>``; scores and segments
likewise. A null is an absent field.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from typing import Any

import numpy as np

from exporter.ingest.arrow_messages import read_messages
from exporter.ingest.formats import BodyError, Raw, Unavailable, check_count, wire_format
from exporter.ingest.json import FIELDS

_GROUPS = ("features", "scores", "segments")
_MAX_VALUES = 2**22
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@wire_format("application/vnd.apache.arrow.stream")
def decode_arrow(body: bytes) -> Raw:
    """Return the events of an Arrow stream."""
    try:
        import pyarrow as pa
    except ImportError:
        raise Unavailable(
            "Arrow needs the package pyarrow: pip install 'modelmeter[arrow]'"
        ) from None
    try:
        with pa.ipc.open_stream(body) as stream:
            check_types(stream.schema)
            if any(batch.compressed for batch in read_messages(body)):
                raise BodyError(
                    "compressed Arrow buffers are not taken; use Content-Encoding: gzip"
                )
            table = stream.read_all()
        _check_size(table, len(body))
        table.validate(full=True)
        return from_table(table)
    except BodyError:
        raise
    except (pa.lib.ArrowException, OSError, ValueError, struct.error) as error:
        reason = str(error).partition("\n")[0]
        raise BodyError(f"body is not an Arrow stream: {reason}") from None


def check_types(schema: Any, *, views: bool = False) -> None:
    """Raise :class:`BodyError` for columns of one name, or of a type that no field of an event has.

    Runs and lists stay out, and ``views`` unless their texts are measured: a few of their bytes may
    stand for any amount of values.
    """
    import pyarrow as pa

    seen: set[str] = set()
    for column in schema:
        group = column.name in _GROUPS and pa.types.is_struct(column.type)
        for part in column.type.fields if group else (column,):
            name = f"{column.name}.{part.name}" if group else column.name
            if name in seen:
                raise BodyError(f"column {name} stands there twice")
            seen.add(name)
            if not (_is_plain(part.type) or (views and pa.types.is_string_view(part.type))):
                raise BodyError(f"column {name} has type {part.type}, which no field has")
        if group and column.name in seen:
            raise BodyError(f"column {column.name} stands there twice")
        seen.add(column.name)


def _is_plain(kind: Any) -> bool:
    from pyarrow import types

    tests = (
        types.is_null, types.is_boolean, types.is_integer, types.is_floating, types.is_string,
        types.is_large_string,
    )  # fmt: skip
    if types.is_dictionary(kind):
        return any(test(kind.value_type) for test in tests)
    return any(test(kind) for test in (*tests, types.is_decimal, types.is_timestamp))


def _check_size(table: Any, size: int) -> None:
    """Raise :class:`BodyError` for more values than the bytes can stand for (nulls need none)."""
    members = sum(max(1, column.type.num_fields) for column in table.schema)
    if table.num_rows > size or table.num_rows * members > _MAX_VALUES:
        raise BodyError(f"body says that it holds {table.num_rows} events, of {members} fields")
    check_count(table.num_rows)


def from_table(table: Any) -> Raw:
    """Return the events of a ``pyarrow.Table``."""
    raw = Raw(range(table.num_rows))
    groups: dict[str, dict[str, Any]] = defaultdict(dict)
    for name in table.column_names:
        group, dot, key = name.partition(".")
        column = table.column(name)
        if dot and group in _GROUPS:
            groups[group][key] = column
        elif name == "features" and column.null_count:
            # A row whose object is null came without features: it misses none.
            raw.fields[name] = _whole(column)
        elif name in _GROUPS:
            groups[name].update(_members(name, column))
        elif name in FIELDS and column.null_count < len(column):
            raw.fields[name] = _values(column)
    for group, columns in groups.items():
        if not columns:
            continue
        if group == "features":
            raw.fields[group] = {key: _values(column) for key, column in columns.items()}
        else:
            raw.fields[group] = _objects({key: _listed(part) for key, part in columns.items()})
    return raw


def _whole(column: Any) -> list[dict[str, Any] | None]:
    members = {key: _listed(part) for key, part in _members("features", column).items()}
    there = column.is_valid().to_pylist()
    rows = zip(*members.values(), strict=True) if members else [()] * len(there)
    return [
        dict(zip(members, row, strict=True)) if known else None
        for known, row in zip(there, rows, strict=True)
    ]


def _members(name: str, column: Any) -> dict[str, Any]:
    import pyarrow as pa

    if not pa.types.is_struct(column.type):
        raise BodyError(f"column {name} must be a struct, got {column.type}")
    flat = (
        column.combine_chunks().flatten() if column.num_chunks != 1 else column.chunk(0).flatten()
    )
    keys = [field.name for field in column.type]
    return {key: pa.chunked_array([part]) for key, part in zip(keys, flat, strict=True)}


def _values(column: Any) -> Any:
    """Return a column as floats (null is NaN) or as a list of Python values."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_floating(kind):
        numbers = column.to_numpy().astype(np.float64, copy=False)
        sent = np.isnan(numbers).sum() - column.null_count
        return numbers if sent == 0 else column.to_pylist()
    if pa.types.is_timestamp(kind) or pa.types.is_decimal(kind):
        return _as_floats(column).to_numpy()
    return _listed(column)


def _listed(column: Any) -> list[Any]:
    """Return a column as Python values: numbers, booleans and texts."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_decimal(kind):
        column = _as_floats(column)
    if pa.types.is_dictionary(kind):
        return [value for chunk in column.chunks for value in _looked_up(chunk)]
    values: list[Any] = [None] * len(column) if pa.types.is_null(kind) else column.to_pylist()
    return values


def _as_floats(column: Any) -> Any:
    """Return decimals as floats, and times as Unix seconds.

    Times never as Python's, for which a zone that the body names would be looked up in files.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_decimal(column.type):
        return column.cast(pa.float64())
    ticks = pc.cast(pc.cast(column, pa.int64()), pa.float64(), safe=False)
    return pc.divide(ticks, float(_TICKS[column.type.unit]))


def _looked_up(chunk: Any) -> list[Any]:
    """Return the values of a dictionary array; equal ones are one object, not copies."""
    values = chunk.dictionary.to_pylist()
    if not chunk.indices.null_count:
        return list(map(values.__getitem__, chunk.indices.to_numpy().tolist()))
    return [None if at is None else values[at] for at in chunk.indices.to_pylist()]


def _objects(columns: dict[str, Any]) -> list[dict[str, Any] | None]:
    keys = list(columns)
    return [
        {k: v for k, v in zip(keys, row, strict=True) if v is not None} or None
        for row in zip(*columns.values(), strict=True)
    ]
