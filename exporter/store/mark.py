"""The mark: how far the journal surely reaches, so that what is lost of it is known to be lost.

It is written after the journal, never before: on disk it says at most what the journal holds. A
file that ends before it was damaged; what follows it was never acknowledged.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Final, NamedTuple

NAME: Final = "mark"
_BODY: Final = struct.Struct("<QQBQ")
_CHECK: Final = struct.Struct("<I")


class Mark(NamedTuple):
    """What is known to be in the journal."""

    segment: int
    end: int
    """Bytes of that segment."""
    beyond: bool = False
    """Whether events were counted that stand in neither journal nor snapshot."""
    boot: int = 0
    """The machine's start in whose memory some of it may stand; 0 where all is on disk."""


class MarkFile:
    """The file that holds the mark."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def read(self) -> Mark | None:
        """Return the mark, ``None`` where there is none that can be read."""
        data = os.pread(self._descriptor, _BODY.size + _CHECK.size, 0)
        if len(data) < _BODY.size + _CHECK.size:
            return None
        if _CHECK.unpack_from(data, _BODY.size)[0] != zlib.crc32(data[: _BODY.size]):
            return None
        segment, end, beyond, boot = _BODY.unpack_from(data)
        return Mark(segment, end, bool(beyond), boot)

    def write(self, mark: Mark, *, sync: bool = False) -> None:
        """Set the mark; raises ``OSError``."""
        body = _BODY.pack(*mark)
        os.pwrite(self._descriptor, body + _CHECK.pack(zlib.crc32(body)), 0)
        if sync:
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def this_boot() -> int:
    """Return a number for this start of the machine, 0 where the system tells none."""
    try:
        told = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return 0
    return zlib.crc32(told) + 1
