"""What pyarrow does not tell of an Arrow stream before it has read it: how large it says it is.

Four megabytes of compressed buffers can stand for any amount of memory, which pyarrow would take
at once, and lengths below 0 end its process. The metadata are flatbuffers; the fields are numbered
as in Arrow's ``Message.fbs``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from exporter.ingest.formats import BodyError

MAX_ROWS: Final = 2**25
"""Of one batch or dictionary; no body holds so many events."""
_HEADER_TYPE: Final = 1
_HEADER: Final = 2
_DICTIONARY_BATCH: Final = 2
_RECORD_BATCH: Final = 3
_DATA_OF_DICTIONARY: Final = 1
_LENGTH: Final = 0
_NODES: Final = 1
_BUFFERS: Final = 2
_COMPRESSION: Final = 3
_DECLARED: Final = struct.Struct("<q")
"""What a compressed buffer begins with: its bytes once decompressed, -1 where it is not."""

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """What the head of one batch or dictionary says."""

    rows: int
    """Events; 0 of a dictionary."""
    compressed: bool
    size: int
    """Bytes of all its buffers, once decompressed."""


def read_messages(body: Any) -> Iterator[Batch]:
    """Return what the batches of an Arrow stream say of themselves.

    Raises :class:`BodyError` for lengths that cannot be; ``pyarrow.ArrowInvalid``, ``ValueError``
    or ``struct.error`` where the body is no stream.
    """
    from pyarrow import ipc

    for message in ipc.MessageReader.open_stream(body):
        metadata = message.metadata.to_pybytes()
        at = _batch(metadata)
        if at:
            yield _told(metadata, at, message)


def _batch(metadata: bytes) -> int:
    """Return where the table of a record batch is; 0 for a message of another kind."""
    (root,) = struct.unpack_from("<I", metadata)
    kind_at = _field(metadata, root, _HEADER_TYPE)
    header = _table(metadata, root, _HEADER)
    kind = metadata[kind_at] if kind_at else 0
    if kind == _DICTIONARY_BATCH and header:
        return _table(metadata, header, _DATA_OF_DICTIONARY)
    return header if kind == _RECORD_BATCH else 0


def _told(metadata: bytes, at: int, message: Any) -> Batch:
    length_at = _field(metadata, at, _LENGTH)
    rows = struct.unpack_from("<q", metadata, length_at)[0] if length_at else 0
    nodes, buffers = _pairs(metadata, at, _NODES), _pairs(metadata, at, _BUFFERS)
    lengths = np.append(nodes[:, 0], rows)
    if (lengths < 0).any() or (buffers < 0).any():
        raise BodyError("body is not an Arrow stream: a length is below 0")
    if (lengths > MAX_ROWS).any():
        raise BodyError(f"body says that it holds {lengths.max()} events")
    compressed = _field(metadata, at, _COMPRESSION) != 0
    parts: list[tuple[int, int]] = buffers.tolist()
    size = sum(_bytes(message.body, *part, compressed=compressed) for part in parts)
    return Batch(rows if message.type == "record batch" else 0, compressed, size)


def _bytes(body: Any, offset: int, length: int, *, compressed: bool) -> int:
    """Return how many bytes a buffer says it has, once decompressed."""
    if not compressed or length < _DECLARED.size:
        return length
    if body is None or offset + length > body.size:
        raise BodyError("body is not an Arrow stream: a buffer lies outside of it")
    declared: int = _DECLARED.unpack_from(body, offset)[0]
    return length if declared == -1 else declared if declared >= 0 else 2**62


def _pairs(metadata: bytes, table: int, number: int) -> Integers:
    """Return a vector of structs of two integers, a row each."""
    at = _table(metadata, table, number)
    if not at:
        return np.zeros((0, 2), np.int64)
    (count,) = struct.unpack_from("<I", metadata, at)
    return np.frombuffer(metadata, "<i8", 2 * count, at + 4).reshape(count, 2)


def _field(buffer: bytes, table: int, number: int) -> int:
    """Return where a field of a table is; 0 if the table does not have it."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    (size,) = struct.unpack_from("<H", buffer, vtable)
    at = 4 + 2 * number
    offset = struct.unpack_from("<H", buffer, vtable + at)[0] if at + 2 <= size else 0
    return table + offset if offset else 0


def _table(buffer: bytes, table: int, number: int) -> int:
    """Return where the table is that a field refers to; 0 if there is none."""
    at = _field(buffer, table, number)
    return at + struct.unpack_from("<I", buffer, at)[0] if at else 0
