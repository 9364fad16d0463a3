"""Files of records: a head, then for each record its length, its checksum and its bytes."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

HEAD: Final = b"\x89modelmeter-state\r\n\x1a\n\x01\x00\x00\x00"
"""What a file begins with, and the version of its format."""
LARGEST: Final = 2**32 - 1
"""Bytes of a record."""
_FRAME: Final = struct.Struct("<II")


def framed(*record: bytes) -> tuple[bytes, ...]:
    """Return the parts of a record as they stand in a file, one after the other.

    They are not joined: they may be megabytes. The record must not be empty; raises ``OSError`` if
    it is too large.
    """
    size = sum(map(len, record))
    if size > LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    checksum = 0
    for part in record:
        checksum = zlib.crc32(part, checksum)
    return _FRAME.pack(size, checksum), *record


class Records:
    """The whole records of a file, in order; after them, where they end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0
        """Bytes that hold whole records, the head included."""
        self.size = 0
        """Bytes of the file; more than ``end`` if something in it is not whole."""

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            self.size = file.seek(0, 2)
            file.seek(0)
            if file.read(len(HEAD)) != HEAD:
                return
            self.end = len(HEAD)
            while len(frame := file.read(_FRAME.size)) == _FRAME.size:
                length, checksum = _FRAME.unpack(frame)
                # Zeros, as a torn write may leave them, would be an empty record.
                if not 0 < length <= self.size:
                    return
                record = file.read(length)
                if len(record) < length or zlib.crc32(record) != checksum:
                    return
                self.end += _FRAME.size + length
                yield record
