"""Parquet and Arrow files as rows; needs the extra ``arrow``."""

import datetime
import decimal
import math
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from exporter.cli.rows import DataError, Row, dump
from exporter.cli.tables import GROUPS, event, plan

BATCH_ROWS = 8192


def read(path: str, form: str, stack: ExitStack) -> tuple[int, Iterator[Row]]:
    """Return how many rows a file has, and the rows, until ``stack`` closes it.

    Raises DataError and OSError.
    """
    try:
        import pyarrow  # noqa: PLC0415
    except ImportError:
        message = "reading Parquet and Arrow needs pyarrow: pip install 'modelmeter[arrow]'"
        raise DataError(message) from None
    source = stack.enter_context(pyarrow.OSFile(path))
    try:
        count, columns, batches = (_parquet if form == "parquet" else _arrow)(source)
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"not {form.capitalize()}: {error}") from None
    return count, _rows(plan(columns, wholes=GROUPS), batches)


def _parquet(source: Any) -> tuple[int, list[str], Iterator[Any]]:
    from pyarrow import parquet  # noqa: PLC0415

    file = parquet.ParquetFile(source)
    return file.metadata.num_rows, file.schema_arrow.names, file.iter_batches(BATCH_ROWS)


def _arrow(source: Any) -> tuple[int, list[str], Iterator[Any]]:
    """Return the batches of an Arrow file or stream; both are called so."""
    import pyarrow  # noqa: PLC0415

    try:
        table = pyarrow.ipc.open_file(source).read_all()
    except pyarrow.ArrowInvalid:
        source.seek(0)
        table = pyarrow.ipc.open_stream(source).read_all()
    return table.num_rows, table.column_names, iter(table.to_batches(BATCH_ROWS))


def _rows(meanings: Any, batches: Iterator[Any]) -> Iterator[Row]:
    number = 0
    for batch in batches:
        columns = [column.to_pylist(maps_as_pydicts="strict") for column in batch.columns]
        for values in zip(*columns, strict=True):
            yield _row(f"row {number}", meanings, values)
            number += 1


def _row(place: str, meanings: Any, values: tuple[Any, ...]) -> Row:
    try:
        return Row(place, dump(event(meanings, [plain(value) for value in values])))
    except TypeError as error:
        return Row(place, b"", str(error))


def plain(value: Any) -> Any:
    """Return a value as JSON has it: NaN is missing, times are RFC 3339 (UTC where not said)."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).isoformat()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value
