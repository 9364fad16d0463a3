"""Recorded events in a file, whatever its format, as one JSON event a row."""

import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from exporter.cli.rows import DataError, Row, dump
from exporter.cli.tables import csv_rows

FORMATS: Final = {
    "ndjson": ("ndjson", "jsonl"),
    "json": ("json",),
    "csv": ("csv",),
    "parquet": ("parquet", "pq"),
    "arrow": ("arrow", "feather", "ipc"),
}
"""Each format and the file name endings that mean it; ``.gz`` may follow (not for the last two)."""


@dataclass(frozen=True)
class Recording:
    """The rows of an open file, and how much of it has been read, from 0 to 1."""

    rows: Iterator[Row]
    fraction: Callable[[], float]


def format_of(path: str) -> str:
    """Return the format that a file's name means. Raises DataError when it means none."""
    ending = Path(path.removesuffix(".gz")).suffix.removeprefix(".").lower()
    for name, endings in FORMATS.items():
        if ending in endings:
            return name
    raise DataError(f"{path}: say which format it is with --format {'|'.join(FORMATS)}")


@contextmanager
def open_recording(path: str, form: str | None = None) -> Iterator[Recording]:
    """Give the events of a file (``-`` is standard input) while it is open. Raises DataError.

    Rows are read as they are asked for; a JSON document alone is read as a whole.
    """
    form = form or ("ndjson" if path == "-" else format_of(path))
    with ExitStack() as stack:
        try:
            columnar = form in ("parquet", "arrow")
            recording = (_columnar if columnar else _textual)(path, form, stack)
        except (ValueError, OSError) as error:
            raise DataError(f"{path}: {_reason(error)}") from None
        yield Recording(_told(path, recording.rows), recording.fraction)


def _reason(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return strerror.lower() if strerror else str(error)


def _told(path: str, rows: Iterator[Row]) -> Iterator[Row]:
    """Return the rows; what cannot be read is told with the file's name."""
    try:
        yield from rows
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {error}") from None


def _textual(path: str, form: str, stack: ExitStack) -> Recording:
    if path == "-":
        raw: IO[bytes] = sys.stdin.buffer
        size = 0
    else:
        raw = stack.enter_context(Path(path).open("rb"))  # noqa: SIM115 - the stack closes it
        size = Path(path).stat().st_size
    content: Any = raw
    if path.endswith(".gz"):
        content = stack.enter_context(gzip.GzipFile(fileobj=raw))
    readers = {"ndjson": ndjson, "json": document, "csv": separated}
    return Recording(readers[form](content), lambda: raw.tell() / size if size else 0.0)


def _columnar(path: str, form: str, stack: ExitStack) -> Recording:
    from exporter.cli import columnar  # noqa: PLC0415 - pyarrow is an extra, and heavy

    count, rows = columnar.read(path, form, stack)
    done = 0

    def counted() -> Iterator[Row]:
        nonlocal done
        for row in rows:
            done += 1
            yield row

    return Recording(counted(), lambda: done / count if count else 1.0)


def ndjson(content: IO[bytes]) -> Iterator[Row]:
    """Return the lines that are not blank, as they are: the server says what is wrong with them."""
    for number, line in enumerate(content, 1):
        body = line.strip()
        if body:
            error = "" if _is_utf8(body) else "not UTF-8 text"
            yield Row(f"line {number}", body, error)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def separated(content: IO[bytes]) -> Iterator[Row]:
    """Return the rows of a CSV file with a header of field names."""
    lines = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
    try:
        yield from csv_rows(lines)
    finally:
        lines.detach()  # the file is closed by whoever opened it


def document(content: IO[bytes]) -> Iterator[Row]:
    """Return the events of one JSON document: an event, an array of them, or columns."""
    try:
        found = json.loads(content.read())
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {error}") from None
    if isinstance(found, dict) and isinstance(found.get("columns"), dict):
        found = list(_uncolumned(found))
    events = found if isinstance(found, list) else [found]
    for number, event in enumerate(events):
        yield Row(f"event {number}", dump(event))


def _uncolumned(columns: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the events that a columns object holds."""
    shared = {key: value for key, value in columns.items() if key != "columns"}
    flat: dict[tuple[str, ...], list[Any]] = {}
    for name, values in columns["columns"].items():
        parts = values if isinstance(values, dict) else {None: values}
        for part, column in parts.items():
            if not isinstance(column, list):
                raise DataError(f"column {name} is no array")
            flat[(name,) if part is None else (name, part)] = column
    lengths = {len(column) for column in flat.values()}
    if len(lengths) > 1:
        raise DataError(f"columns of different lengths: {', '.join(map(str, sorted(lengths)))}")
    for values in zip(*flat.values(), strict=True):
        event: dict[str, Any] = dict(shared)
        for (name, *part), value in zip(flat, values, strict=True):
            if part:
                event.setdefault(name, {})[part[0]] = value
            elif value is not None:
                event[name] = value
        yield event
