"""The segment of the journal that is written: records appended, and on disk before it says so."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import chain, starmap
from pathlib import Path
from typing import Final

from exporter.store.records import HEAD, framed

MOST_PARTS: Final = 1024
"""So many the system takes in one write (IOV_MAX)."""


class Segment:
    """One file of the journal, open for writing."""

    def __init__(self, path: Path, first: bytes, *, sync: bool) -> None:
        """Begin the file, which must not be there, with a record; raises ``OSError``."""
        self.path = path
        self.end = 0
        """Bytes that are surely there."""
        self._sync = sync
        self._torn = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        try:
            self._add([HEAD, *framed(first)])
            if sync:
                sync_folder(path.parent)
        except OSError:
            self.close()
            path.unlink(missing_ok=True)
            raise

    def append(self, records: Iterable[Sequence[bytes]]) -> None:
        """Append records, each in parts, all or none; ``OSError``, and none of them is there."""
        self._add(list(chain.from_iterable(starmap(framed, records))))

    def clean(self) -> None:
        """Have nothing in it that was refused; raises ``OSError``."""
        if self._torn:
            self._cut()

    def sync(self) -> None:
        """Have all of it on disk; raises ``OSError``."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _add(self, parts: Sequence[bytes]) -> None:
        self.clean()
        try:
            end = self._write(parts)
            if self._sync:
                os.fdatasync(self._descriptor)
        except OSError:
            # What was refused must not come back: a client sends it again.
            self._torn = True
            self._cut()
            raise
        self.end = end

    def _write(self, parts: Sequence[bytes]) -> int:
        """Write parts one after the other; return where they end."""
        place = self.end
        for first in range(0, len(parts), MOST_PARTS):
            some = parts[first : first + MOST_PARTS]
            end = place + sum(map(len, some))
            place += os.pwritev(self._descriptor, some, place)
            while place < end:  # a full disk or a signal may end a write early
                rest = b"".join(some)[place - end :]
                place += os.pwrite(self._descriptor, rest, place)
        return place

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self.end)
        self._torn = False


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk; raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
