"""Recorded events of any format, a batch after the other, so that a large file needs little memory.

The wire formats of ingest, and two of files: CSV (a header of field names) and Parquet.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, Final

from exporter.coded import Coded
from exporter.config.problems import nearest
from exporter.events import Rejection
from exporter.ingest import BodyError, Raw, Unavailable, decode
from exporter.ingest.arrow import from_table
from exporter.ingest.cells import TEXTS, as_text, as_value
from exporter.ingest.json import FIELDS

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.arrow.file": "arrow",
}
"""The format of each content type."""
ENDINGS: Final[Mapping[str, str]] = {
    "json": "json",
    "ndjson": "ndjson", "jsonl": "ndjson",
    "csv": "csv",
    "parquet": "parquet", "pq": "parquet",
    "arrow": "arrow", "feather": "arrow", "ipc": "arrow",
}  # fmt: skip
"""The format that the ending of a file's name means."""
GROUPS: Final = ("features", "scores", "segments")
BATCH_ROWS: Final = 16_384
BATCH_BYTES: Final = 4 * 2**20
_GZIP: Final = 16 + zlib.MAX_WBITS


def batches(content: IO[bytes], form: str) -> Iterator[Raw]:
    """Return the events of open ``content`` as unchecked batches, numbered through.

    Raises :class:`BodyError` where it is not what ``form`` says, and :class:`Unavailable`.
    """
    readers: Mapping[str, Callable[[IO[bytes]], Iterator[Raw]]] = {
        "json": _json,
        "ndjson": _ndjson,
        "csv": _csv,
        "parquet": _parquet,
        "arrow": _arrow,
    }
    done = 0
    for raw in readers[form](content):
        whole = raw.at == range(len(raw.at))
        raw.at = range(done, done + len(raw.at)) if whole else [done + i for i in raw.at]
        raw.rejected = [Rejection(done + r.index, r.field, r.error) for r in raw.rejected]
        done += raw.size
        yield raw


class Inflated(io.RawIOBase):
    """What gzipped ``content`` holds; raises :class:`BodyError` where it is not gzip."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self._stream = zlib.decompressobj(_GZIP)
        self._rest = b""

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, into: Any) -> int:
        """Fill ``into``, at least a byte of it unless the content ends."""
        part = b""
        while not part:
            if self._stream.eof:
                self._rest = self._stream.unused_data
                if not (self._rest or self._read()):
                    return 0
                self._stream = zlib.decompressobj(_GZIP)
            if not (self._rest or self._read()):
                raise BodyError("body is not gzip: it ends too early")
            try:
                part = self._stream.decompress(self._rest, len(into))
            except zlib.error as error:
                raise BodyError(f"body is not gzip: {error}") from None
            self._rest = self._stream.unconsumed_tail
        into[: len(part)] = part
        return len(part)

    def _read(self) -> bool:
        self._rest = self._content.read(65_536)
        return bool(self._rest)


def check_columns(names: Sequence[str]) -> None:
    """Raise :class:`BodyError` for a column of a table that is no field of an event."""
    for name in names:
        group, dot, below = name.partition(".")
        if name in FIELDS or (group in GROUPS and dot and below):
            continue
        hint = nearest(name, FIELDS)
        raise BodyError(
            f"column {name!r} is no field of an event{hint or ';'} inputs are features.<name>",
            {"column": name, "allowed": [*FIELDS, *(f"{group}.<name>" for group in GROUPS)]},
        )
    if len(set(names)) < len(names):
        raise BodyError("a column is named twice")


def _json(content: IO[bytes]) -> Iterator[Raw]:
    yield decode("application/json", content.read())


def _ndjson(content: IO[bytes]) -> Iterator[Raw]:
    while lines := content.readlines(BATCH_BYTES):
        yield decode("application/x-ndjson", b"".join(lines))


def _csv(content: IO[bytes]) -> Iterator[Raw]:
    text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
    try:
        reader = csv.reader(text)
        header = [name.strip() for name in next(reader, ())]
        if not header:
            raise BodyError("empty: a header of field names is needed")
        check_columns(header)
        raw = _Table(header)
        for cells in reader:
            if cells:
                raw.add(reader.line_num, cells)
            if raw.size >= BATCH_ROWS:
                yield raw.finish()
        yield raw.finish()
    except UnicodeDecodeError as error:
        raise BodyError(f"not UTF-8 text: {error.reason}") from None
    except csv.Error as error:
        raise BodyError(f"line {reader.line_num}: {error}") from None
    finally:
        text.detach()


class _Table:
    """Rows of cells that become columns of values."""

    def __init__(self, header: Sequence[str]) -> None:
        self._header = header
        # The same few texts come again and again: each is read once.
        self._known: list[dict[str, Any]] = [{} for _ in header]
        self._start()

    def _start(self) -> None:
        self._rows: list[list[str]] = []
        self._at: list[int] = []
        self._rejected: list[Rejection] = []
        self.size = 0

    def add(self, line: int, cells: list[str]) -> None:
        if len(cells) == len(self._header):
            self._rows.append(cells)
            self._at.append(self.size)
        else:
            told = f"line {line} has {len(cells)} cells, the header has {len(self._header)}"
            self._rejected.append(Rejection(self.size, "event", told))
        self.size += 1

    def finish(self) -> Raw:
        """Return the rows so far, and forget them."""
        raw = Raw(self._at, rejected=self._rejected)
        groups: dict[str, dict[str, Any]] = {}
        columns: Any = zip(*self._rows, strict=True) if self._rows else [[] for _ in self._header]
        for name, known, cells in zip(self._header, self._known, columns, strict=True):
            group, dot, key = name.partition(".")
            values = _converted(cells, known, as_text if group in TEXTS else as_value)
            if dot:
                groups.setdefault(group, {})[key] = values
            elif values.count(None) < len(values):
                raw.fields[name] = values
        if "features" in groups:
            raw.fields["features"] = groups["features"]
        if "scores" in groups:
            raw.fields["scores"] = _objects(groups["scores"])
        self._start()
        return raw


def _converted(cells: Sequence[str], known: dict[str, Any], convert: Callable[[str], Any]) -> Any:
    for cell in set(cells).difference(known):
        known[cell] = convert(cell)
    values = [known[cell] for cell in cells]
    if len(known) > BATCH_ROWS:
        known.clear()
    return values


def _objects(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any] | None]:
    return [
        {key: value for key, value in zip(columns, row, strict=True) if value is not None} or None
        for row in zip(*columns.values(), strict=True)
    ]


def _parquet(content: IO[bytes]) -> Iterator[Raw]:
    pa = _pyarrow()
    from pyarrow import parquet  # noqa: PLC0415

    try:
        # A buffer for each column, not whole row groups: those may be as large as the file.
        file = parquet.ParquetFile(content, pre_buffer=False, buffer_size=2**18)
        _check_names(file.schema_arrow)
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
            yield _tabular(pa.Table.from_batches([batch]))
    except (pa.lib.ArrowException, OSError) as error:
        raise BodyError(f"not Parquet: {_first_line(error)}") from None
    finally:
        pa.default_memory_pool().release_unused()


def _arrow(content: IO[bytes]) -> Iterator[Raw]:
    """Return the batches of an Arrow file or stream; both are called so."""
    pa = _pyarrow()
    data = content.read()
    try:
        stream = data[:6] != b"ARROW1"
        with pa.ipc.open_stream(data) if stream else pa.ipc.open_file(data) as reader:
            _check_names(reader.schema)
            for batch in reader if stream else _of_file(reader):
                batch.validate(full=True)
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    yield _tabular(pa.Table.from_batches([batch.slice(start, BATCH_ROWS)]))
    except (pa.lib.ArrowException, OSError) as error:
        raise BodyError(f"not Arrow: {_first_line(error)}") from None


def _of_file(reader: Any) -> Iterator[Any]:
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)


def _check_names(schema: Any) -> None:
    """Check the columns; a group may also be one struct."""
    from pyarrow import types  # noqa: PLC0415

    whole = [f.name for f in schema if f.name in GROUPS and types.is_struct(f.type)]
    names = [name for name in schema.names if name not in whole]
    for group in whole:
        if any(name.startswith(f"{group}.") for name in names) or whole.count(group) > 1:
            raise BodyError(f"{group} stands both as a whole and in columns of its own")
    check_columns(names)


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
        elif _is_text(field.type) and field.name.startswith("features."):
            texts[field.name] = _coded(column)
        table = table.set_column(place, field.name, column)
    raw = from_table(table.drop_columns(list(texts)))
    if texts:
        inputs = raw.fields.setdefault("features", {})
        inputs.update({name.removeprefix("features."): one for name, one in texts.items()})
    return raw


def _is_text(kind: Any) -> bool:
    from pyarrow import types  # noqa: PLC0415

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _coded(column: Any) -> Coded:
    whole = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return Coded(whole.indices.to_numpy(), whole.dictionary.to_pylist())


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
