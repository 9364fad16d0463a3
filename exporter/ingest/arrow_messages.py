"""What pyarrow does not tell of an Arrow stream before it has read it: whether it is compressed.

Four megabytes of compressed buffers can stand for any amount of memory, which pyarrow would take
at once. The metadata are flatbuffers; the fields are numbered as in Arrow's ``Message.fbs``.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from exporter.ingest.formats import BodyError

_HEADER_TYPE: Final = 1
_HEADER: Final = 2
_DICTIONARY_BATCH: Final = 2
_RECORD_BATCH: Final = 3
_DATA_OF_DICTIONARY: Final = 1
_COMPRESSION: Final = 3


def refuse_compressed(body: bytes) -> None:
    """Raise :class:`BodyError` when a batch of an Arrow stream has compressed buffers.

    Raises ``pyarrow.ArrowInvalid`` where the body is no stream.
    """
    from pyarrow import ipc

    for message in ipc.MessageReader.open_stream(body):
        if _is_compressed(message.metadata.to_pybytes()):
            raise BodyError("compressed Arrow buffers are not taken; use Content-Encoding: gzip")


def _is_compressed(metadata: Any) -> bool:
    (root,) = struct.unpack_from("<I", metadata)
    kind_at = _field(metadata, root, _HEADER_TYPE)
    header = _table(metadata, root, _HEADER)
    kind = metadata[kind_at] if kind_at else 0
    if kind == _DICTIONARY_BATCH and header:
        header = _table(metadata, header, _DATA_OF_DICTIONARY)
    if kind not in (_DICTIONARY_BATCH, _RECORD_BATCH) or not header:
        return False
    return _field(metadata, header, _COMPRESSION) != 0


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
