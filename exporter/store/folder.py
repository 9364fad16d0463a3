"""The data folder: the journal's segments, the snapshots, the mark, and a lock.

``snapshot-N.state`` is the state before ``journal-N.log``. The last two snapshots are kept, with
the journal since the first of them: should the newer one be damaged, the older one leads to the
same state.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from exporter.store.mark import Mark, MarkFile, this_boot
from exporter.store.records import HEAD, Records, framed
from exporter.store.segment import Segment, sync_folder

log = logging.getLogger("modelmeter")

SNAPSHOTS: Final = 2
DAMAGED: Final = "damaged"
_LAST: Final = b"end of snapshot"
_CHAIN: Final = struct.Struct("<QQ")
_NAME: Final = re.compile(r"(journal|snapshot)-([0-9]{8})\.(?:log|state)")


class InUse(OSError):
    """Another process uses the folder."""


class Damaged(Exception):
    """A file that is not what was written, or is not there."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path.name} {what}")
        self.path = path


class Folder:
    """What is on disk, and how it is written."""

    def __init__(self, path: Path, *, sync: bool) -> None:
        """Open a folder, made if need be; raises ``OSError``."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self.damaged = 0
        """Files that were found damaged."""
        self.snapshot_time: float | None = None
        """Unix time of the last snapshot, as its file has it."""
        self._sync = sync
        self._lock = _locked(path)
        self._mark_file = MarkFile(path)
        self._mark = self._mark_file.read()
        boot = this_boot()
        self._boot = 0 if sync else boot
        if self._mark is not None and self._mark.boot not in (0, boot):
            # What the system had not written by then is lost, and the mark may be as old.
            self._mark = self._mark._replace(beyond=True)
        self._segment: Segment | None = None
        self._end = 0, 0
        """The last segment that was written or read, and its bytes."""
        self._number = max([0, *self._numbers("journal"), *self._numbers("snapshot")])
        self._closed_bytes = self._size()
        for left in path.glob("*.new"):
            left.unlink()

    @property
    def beyond(self) -> bool:
        """Whether events were counted that stand nowhere here."""
        return self._mark is not None and self._mark.beyond

    @property
    def journal_bytes(self) -> int:
        """Bytes of all segments."""
        return self._closed_bytes + (self._segment.end if self._segment is not None else 0)

    @property
    def segment_bytes(self) -> int:
        """Bytes of the segment that is written."""
        return self._segment.end if self._segment is not None else 0

    def snapshots(self) -> list[int]:
        """Return the numbers of the snapshots, the newest first."""
        return sorted(self._numbers("snapshot"), reverse=True)

    def read_snapshot(self, number: int) -> Iterator[bytes]:
        """Yield the parts of a snapshot; raises :class:`Damaged` if it is not whole."""
        path = self._snapshot(number)
        held = b""
        for record in Records(path):
            if held:
                yield held
            held = record
        if held != _LAST:
            raise Damaged(path, "is damaged")
        self.snapshot_time = path.stat().st_mtime

    def replay(self, first: int) -> Iterator[bytes]:
        """Yield the records of all segments from ``first`` on.

        Raises :class:`Damaged` where acknowledged records are lost. An end that was torn while it
        was written is none: nobody was told of it.
        """
        number = first
        written = set(self._numbers("journal"))
        last = max([*written, first - 1, self._mark.segment if self._mark is not None else 0])
        for number in range(first, last + 1):
            if number not in written:
                raise Damaged(self._journal(number), "is missing")
            records = Records(self._journal(number))
            yield from self._chained(number, records)
            self._check_end(number, records)
            self._end = number, records.end

    def begin(self) -> int:
        """Begin a new segment; return its number. Raises ``OSError``, and the old one goes on."""
        number = self._number + 1
        if self._segment is not None:
            self._segment.clean()
        # What a failed attempt left, where not even that could be undone.
        self._journal(number).unlink(missing_ok=True)
        # Each says where the one before ends: were that one cut short later, it would show.
        segment = Segment(self._journal(number), _CHAIN.pack(*self._end), sync=self._sync)
        if self._segment is not None:
            self._closed_bytes += self._segment.end
            self._segment.close()
        self._segment, self._number = segment, number
        self._set_mark(self.beyond)
        return number

    def first_segment(self) -> int:
        """Return the number of the first segment that is there, 1 where there is none."""
        return min(self._numbers("journal"), default=1)

    def append(self, records: Iterable[Sequence[bytes]]) -> None:
        """Append records, each in parts; raises ``OSError``, and none of them is there then."""
        if self._segment is None:
            self.begin()
        assert self._segment is not None
        self._segment.append(records)
        # The records are there; a mark that lags behind says less, and nothing wrong.
        with contextlib.suppress(OSError):
            self._set_mark(self.beyond)

    def go_beyond(self) -> None:
        """Note that events are counted that stand nowhere here; raises ``OSError``."""
        if not self.beyond:
            self._set_mark(True)
            self._mark_file.write(self._mark or Mark(0, 0, True), sync=True)

    def save(self, number: int, parts: Iterable[bytes]) -> None:
        """Write the state before segment ``number``; what came before the last two goes.

        Raises ``OSError``, and nothing has changed then.
        """
        path = self._snapshot(number)
        new = path.with_suffix(".new")
        try:
            _write(new, parts)
            new.rename(path)
        except OSError:
            new.unlink(missing_ok=True)
            raise
        sync_folder(self.path)
        self.snapshot_time = path.stat().st_mtime
        self._drop_before(([number, *self.snapshots()[1:]])[:SNAPSHOTS][-1])

    def settled(self) -> None:
        """Note that everything that was counted stands here again; raises ``OSError``."""
        if self.beyond:
            self._set_mark(False)

    def at_rest(self) -> None:
        """Note that all is on disk, if the last snapshot was saved; raises ``OSError``."""
        if self._boot and self._segment is not None and self._number in self._numbers("snapshot"):
            self._segment.sync()
            self._boot = 0
            self._set_mark(self.beyond)

    def set_aside(self, path: Path) -> None:
        """Move a damaged file away, where a person may look at it; it is never deleted.

        Where the disk refuses that, it stays where it is.
        """
        self.damaged += 1
        try:
            self._move_aside(path)
        except OSError as error:
            log.error("a damaged file stays where it is, %s: %s", path, error)

    def _move_aside(self, path: Path) -> None:
        aside = self.path / DAMAGED
        aside.mkdir(mode=0o700, exist_ok=True)
        target = aside / path.name
        for again in range(1, 1000):
            if not target.exists():
                break
            target = aside / f"{path.name}.{again}"
        size = path.stat().st_size if path.name.startswith("journal") else 0
        path.rename(target)
        self._closed_bytes -= size
        log.error("a damaged file was set aside: %s", target)

    def set_snapshot_aside(self, number: int) -> None:
        """Move a snapshot away that cannot be used."""
        self.set_aside(self._snapshot(number))

    def close(self) -> None:
        """Let go of the folder."""
        if self._segment is not None:
            self._segment.close()
        self._mark_file.close()
        os.close(self._lock)

    def _chained(self, number: int, records: Records) -> Iterator[bytes]:
        """Yield a segment's records but the first, which says where the segment before ends."""
        inner = iter(records)
        for chain in inner:
            # It is longer where this segment was left by an attempt to begin it.
            if self._end[0] == number - 1 and _CHAIN.unpack(chain) > self._end:
                raise Damaged(self._journal(number - 1), "was cut short")
            break
        yield from inner

    def _check_end(self, number: int, records: Records) -> None:
        known = self._mark
        least = known.end if known is not None and known.segment == number else 0
        whole = records.end == records.size
        if records.end < least or not (whole or (known is not None and number >= known.segment)):
            raise Damaged(records.path, f"is damaged at byte {records.end}")
        if whole:
            return
        log.warning(
            "%s: the last %d bytes were torn while they were written, and are dropped",
            records.path.name, records.size - records.end,
        )  # fmt: skip
        os.truncate(records.path, records.end)
        self._closed_bytes -= records.size - records.end

    def _set_mark(self, beyond: bool) -> None:
        if self._segment is None:
            mark = Mark(0, 0, beyond, self._boot)
        else:
            mark = Mark(self._number, self._segment.end, beyond, self._boot)
            self._end = self._number, self._segment.end
        self._mark_file.write(mark, sync=mark.boot != (self._mark.boot if self._mark else 0))
        self._mark = mark

    def _drop_before(self, oldest: int) -> None:
        """Delete what nothing needs any more."""
        for number in self._numbers("snapshot"):
            if number < oldest:
                self._snapshot(number).unlink()
        for number in self._numbers("journal"):
            if number < oldest:
                path = self._journal(number)
                self._closed_bytes -= path.stat().st_size
                path.unlink()

    def _numbers(self, kind: str) -> list[int]:
        found = (_NAME.fullmatch(one.name) for one in self.path.iterdir())
        return [int(match[2]) for match in found if match is not None and match[1] == kind]

    def _size(self) -> int:
        return sum(self._journal(number).stat().st_size for number in self._numbers("journal"))

    def _journal(self, number: int) -> Path:
        return self.path / f"journal-{number:08}.log"

    def _snapshot(self, number: int) -> Path:
        return self.path / f"snapshot-{number:08}.state"


def _locked(path: Path) -> int:
    """Return a descriptor that holds the folder's lock; raises :class:`InUse`."""
    descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InUse(f"{path} is in use by another modelmeter") from None
    return descriptor


def _write(path: Path, parts: Iterable[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(HEAD)
        for part in parts:
            file.writelines(framed(part))
        file.writelines(framed(_LAST))
        file.flush()
        os.fsync(descriptor)
