"""Recorded events of any format, a batch after the other, so that a large file needs little memory.

The wire formats of ingest, and two of files: CSV (a header of field names) and Parquet.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, Final

from exporter.events import Rejection
from exporter.ingest import BodyError, Raw, decode
from exporter.ingest.cells import TEXTS, as_text, as_value
from exporter.reference import tables
from exporter.reference.fields import check_columns
from exporter.reference.tables import NO_LIMIT

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
BATCH_ROWS: Final = 16_384
BATCH_BYTES: Final = 4 * 2**20
MAX_ROW: Final = 4 * 2**20
"""Characters of a row of CSV: a hundred million commas would be as many cells."""
_PIECE: Final = 4096
"""Bytes inflated at a time: what is left of a piece is copied."""
_GZIP: Final = 16 + zlib.MAX_WBITS


def batches(content: IO[bytes], form: str, limit: int = NO_LIMIT) -> Iterator[Raw]:
    """Return the events of open ``content`` as unchecked batches, numbered through.

    Raises :class:`BodyError` where it is not what ``form`` says, ``Unavailable``, and
    ``TooLarge`` where a file that is compressed within holds more than ``limit`` bytes.
    """
    readers: Mapping[str, Callable[[IO[bytes], int], Iterator[Raw]]] = {
        "json": _json,
        "ndjson": _ndjson,
        "csv": _csv,
        "parquet": tables.parquet,
        "arrow": tables.arrow,
    }
    done = 0
    for raw in readers[form](content, limit):
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
                if not (self._rest or self._read()):
                    return 0
                self._stream = zlib.decompressobj(_GZIP)
            if not (self._rest or self._read()):
                raise BodyError("body is not gzip: it ends too early")
            try:
                part = self._stream.decompress(self._rest, len(into))
            except zlib.error as error:
                raise BodyError(f"body is not gzip: {error}") from None
            self._rest = self._stream.unused_data or self._stream.unconsumed_tail
        into[: len(part)] = part
        return len(part)

    def _read(self) -> bool:
        self._rest = self._content.read(_PIECE)
        return bool(self._rest)


def _json(content: IO[bytes], limit: int) -> Iterator[Raw]:
    yield decode("application/json", content.read())


def _ndjson(content: IO[bytes], limit: int) -> Iterator[Raw]:
    while lines := content.readlines(BATCH_BYTES):
        yield decode("application/x-ndjson", b"".join(lines))


def _csv(content: IO[bytes], limit: int) -> Iterator[Raw]:
    text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
    try:
        lines = _Lines(text)
        reader = csv.reader(lines)
        header = [name.strip() for name in next(reader, ())]
        if not header:
            raise BodyError("empty: a header of field names is needed")
        check_columns(header)
        raw = _Table(header)
        for cells in reader:
            lines.room = MAX_ROW
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


class _Lines:
    """The lines of a table; raises :class:`BodyError` where a row of it takes too many."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self.room = MAX_ROW
        """Characters that the row may still have; whoever reads rows sets it anew for each."""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self.room + 1)
        if not line:
            raise StopIteration
        self.room -= len(line)
        if self.room < 0:
            raise BodyError(f"a row has more than {MAX_ROW} characters")
        return line


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
