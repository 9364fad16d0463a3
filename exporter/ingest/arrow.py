"""``application/vnd.apache.arrow.stream``: an Arrow IPC stream, a column a field (extra ``arrow``).

Features are a struct column ``features`` or columns named ``features.<name>``; scores and segments
likewise. A null is an absent field.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from exporter.ingest.formats import BodyError, Raw, Unavailable, wire_format
from exporter.ingest.json import FIELDS

_GROUPS = ("features", "scores", "segments")


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
        table = pa.ipc.open_stream(body).read_all()
        table.validate(full=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, ValueError) as error:
        raise BodyError(f"body is not an Arrow stream: {str(error).splitlines()[0]}") from None
    return from_table(table)


def from_table(table: Any) -> Raw:
    """Return the events of a ``pyarrow.Table``."""
    raw = Raw(range(table.num_rows))
    groups: dict[str, dict[str, Any]] = defaultdict(dict)
    for name in table.column_names:
        group, dot, key = name.partition(".")
        column = table.column(name)
        if dot and group in _GROUPS:
            groups[group][key] = column
        elif name in _GROUPS:
            groups[name].update(_members(name, column))
        elif name in FIELDS and column.null_count < len(column):
            raw.fields[name] = _values(column)
    for group, columns in groups.items():
        if group == "features":
            raw.fields[group] = {key: _values(column) for key, column in columns.items()}
        else:
            raw.fields[group] = _objects({k: c.to_pylist() for k, c in columns.items()})
    return raw


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
    if pa.types.is_timestamp(kind):
        import pyarrow.compute as pc

        seconds = pc.divide(pc.cast(column.cast(pa.timestamp("us", kind.tz)), pa.int64()), 1e6)
        return seconds.to_numpy()
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if pa.types.is_decimal(column.type):
        return column.cast(pa.float64()).to_numpy()
    return column.to_pylist()


def _objects(columns: dict[str, Any]) -> list[dict[str, Any] | None]:
    keys = list(columns)
    return [
        {k: v for k, v in zip(keys, row, strict=True) if v is not None} or None
        for row in zip(*columns.values(), strict=True)
    ]
