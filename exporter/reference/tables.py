"""Parquet and Arrow files: batches of events, in bounded memory whatever a file says of itself.

A few bytes of such a file may stand for any amount: pages and buffers are compressed, one long text
serves any number of rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Any, Final

import numpy as np

from exporter.coded import Coded
from exporter.ingest import BodyError, Raw, Unavailable
from exporter.ingest.arrow import check_types, from_table
from exporter.ingest.arrow_messages import read_messages
from exporter.reference.fields import GROUPS, check_columns
from exporter.reference.gather import MAX_ROWS

BATCH_ROWS: Final = 16_384
NO_LIMIT: Final = 2**62
MOST_TEXT: Final = 256 * 2**20
"""Bytes of the texts of one column in one batch, written out."""


class TooLarge(Exception):
    """The content is larger than it may be, once decompressed."""


def parquet(content: IO[bytes], limit: int) -> Iterator[Raw]:
    """Return the batches of a Parquet file; ``limit`` is of its bytes once decompressed."""
    pa = _pyarrow()
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    try:
        file = ParquetFile(content, pre_buffer=False)
        _check(file.schema_arrow)
        _check_size(file.metadata.num_rows, _decompressed(file.metadata), limit)
        # A buffer for each column, not whole row groups: those may be as large as the file.
        file = ParquetFile(
            content,
            metadata=file.metadata,
            read_dictionary=_texts(file.schema),
            pre_buffer=False,
            buffer_size=2**18,
        )
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
            yield _tabular(pa.Table.from_batches([batch]))
    except (BodyError, MemoryError):
        raise
    except (pa.lib.ArrowException, OSError, ValueError) as error:
        raise BodyError(f"not Parquet: {_first_line(error)}") from None
    finally:
        pa.default_memory_pool().release_unused()


def _decompressed(metadata: Any) -> int:
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    return sum(max(0, group.total_byte_size) for group in groups)


def _texts(schema: Any) -> list[str]:
    """Return the columns of texts: a text that comes often is to stand in memory once."""
    columns = (schema.column(i) for i in range(len(schema)))
    return [one.path for one in columns if one.physical_type == "BYTE_ARRAY"]


def arrow(content: IO[bytes], limit: int) -> Iterator[Raw]:
    """Return the batches of an Arrow file or stream (both are called so), decompressed."""
    pa = _pyarrow()
    data = pa.py_buffer(content.read())
    if data.size > 8 and data.slice(0, 6).to_pybytes() == b"ARROW1":
        # A file is a stream between a head of eight bytes and an index that is not needed.
        data = data.slice(8)
    try:
        with pa.ipc.open_stream(data) as reader:
            _check(reader.schema)
            told = list(read_messages(data))
            _check_size(sum(one.rows for one in told), sum(one.size for one in told), limit)
            for batch in reader:
                batch.validate(full=True)
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    yield _tabular(pa.Table.from_batches([batch.slice(start, BATCH_ROWS)]))
    except (BodyError, MemoryError):
        raise
    except (pa.lib.ArrowException, OSError, ValueError, struct.error) as error:
        raise BodyError(f"not Arrow: {_first_line(error)}") from None


def _check_size(rows: int, size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge
    if rows > MAX_ROWS and limit < NO_LIMIT:
        raise BodyError(f"more than {MAX_ROWS} events: take a sample of them")


def _check(schema: Any) -> None:
    """Check the columns; a group may also be one struct."""
    from pyarrow import types  # noqa: PLC0415

    whole = [f.name for f in schema if f.name in GROUPS and types.is_struct(f.type)]
    names = [name for name in schema.names if name not in whole]
    for group in whole:
        if any(name.startswith(f"{group}.") for name in names) or whole.count(group) > 1:
            raise BodyError(f"{group} stands both as a whole and in columns of its own")
    check_columns(names)
    check_types(schema, views=True)


def _tabular(table: Any) -> Raw:
    """Return the events of a table; in tables NaN is missing, as in data frames."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    texts = {}
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_floating(field.type):
            nan = pc.is_nan(column)
            if pc.any(nan).as_py():
                column = pc.if_else(nan, pa.scalar(None, field.type), column)
        elif pa.types.is_integer(field.type) and field.name.startswith("features."):
            column = column.cast(pa.float64(), safe=False)
        for chunk in column.chunks:
            _check_text(chunk)
        if field.name.startswith("features.") and (coded := _coded(column)) is not None:
            texts[field.name] = coded
        table = table.set_column(place, field.name, column)
    raw = from_table(table.drop_columns(list(texts)))
    if texts:
        inputs = raw.fields.setdefault("features", {})
        inputs.update({name.removeprefix("features."): one for name, one in texts.items()})
    return raw


def _coded(column: Any) -> Coded | None:
    """Return a column of texts as codes, ``None`` of anything else."""
    import pyarrow.compute as pc  # noqa: PLC0415
    from pyarrow import types  # noqa: PLC0415

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if not (types.is_string(kind) or types.is_large_string(kind)):
        return None
    whole = column.combine_chunks()
    if not types.is_dictionary(column.type):
        whole = whole.dictionary_encode()
    names = whole.dictionary
    if names.null_count or pc.count_distinct(names).as_py() < len(names):
        return None
    codes = whole.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    # A dictionary may hold more than stands in these rows, and in another order.
    return Coded(codes, [*names.to_pylist(), None]).take(np.arange(len(codes)))


def _check_text(array: Any) -> None:
    """Raise :class:`TooLarge` where views are of more text than may be written out."""
    from pyarrow import types  # noqa: PLC0415

    if types.is_struct(array.type):
        for i in range(array.type.num_fields):
            _check_text(array.field(i))
    elif types.is_string_view(array.type) and len(array):
        # A view is four integers, of which the first is its length.
        views = np.frombuffer(array.buffers()[1], "<i4")[::4][array.offset :][: len(array)]
        if int(views.astype(np.int64).sum()) > MOST_TEXT:
            raise TooLarge


def _pyarrow() -> Any:
    try:
        import pyarrow  # noqa: PLC0415
    except ImportError:
        raise Unavailable(
            "Parquet and Arrow need the package pyarrow: pip install 'modelmeter[arrow]'"
        ) from None
    return pyarrow


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
