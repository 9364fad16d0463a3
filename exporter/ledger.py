"""Every change of the state, in one order: journalled first, then made.

What is exposed is durable: it was journalled before it was counted. At a start the last snapshot
is loaded and the journal behind it is done again, at the times it was done first.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from exporter import __version__, allocator
from exporter.answers import Answer, Answers
from exporter.config import Settings
from exporter.events import Rejection
from exporter.ingest import Raw, decode, together
from exporter.ingest.columns import Columns, check
from exporter.intake import Moment, Outcome, apart
from exporter.monitor import Monitor
from exporter.operations import (
    Configure,
    Events,
    First,
    Forget,
    Operation,
    Refer,
    Sent,
    record_of,
    settings_bytes,
    settings_of,
)
from exporter.reference.reference import Reference
from exporter.references import file_of
from exporter.store.folder import Folder
from exporter.store.parts import records
from exporter.told import told

log = logging.getLogger("modelmeter")

Checked = tuple[Columns, list[Rejection], list[int]]
"""Good events of bodies put together, why the others are not, and how many each body held."""
Result = TypeVar("Result")

FORMAT: Final = 1
"""Of snapshots; a later one may read earlier ones."""
SNAPSHOT_SECONDS: Final = 300.0
"""A snapshot is due so long after the last, if there was anything new."""
SNAPSHOT_SHARE: Final = 4
"""It is due too when the journal since the last takes this part of what it may."""
RETRY_SECONDS: Final = 5.0
"""When nothing is taken, or nothing is safe, before a snapshot is saved, it is tried so often."""
ROUNDING: Final = 1e-9
"""How far sums of real numbers may differ when they are added in another order, generously."""


class DiskError(Exception):
    """What cannot be journalled is not counted."""


@dataclass(frozen=True)
class Body:
    """A body that was read: its events, and what it takes to read them again."""

    raw: Raw
    media_type: str
    content: bytes
    model: str | None = None
    key: bytes | None = None


def read(media_type: str, content: bytes, model: str | None, key: bytes | None = None) -> Body:
    """Return a body's events; ``model`` names the model of those that name none.

    Raises ``BodyError``.
    """
    raw = decode(media_type, content)
    if model is not None:
        named = raw.fields.get("model", [None] * len(raw.at))
        raw.fields["model"] = [model if name is None else name for name in named]
    return Body(raw, media_type, content, model, key)


def checked(bodies: Sequence[Body]) -> list[Checked]:
    """Return the events of bodies, checked, put together where that can be."""
    raws = [body.raw for body in bodies]
    groups = [raws] if all(raw.by_row for raw in raws) else [[raw] for raw in raws]
    return [(*check(together(group)), [raw.size for raw in group]) for group in groups]


@dataclass
class Disk:
    """Where the state is kept, and how."""

    folder: Folder
    journals: bool = True
    """Whether every change is journalled; else only a stop saves."""
    most: int = 256 * 2**20
    """Bytes of the journal."""
    on_error: Literal["refuse", "continue"] = "refuse"


class Ledger:
    """The one who changes the state. Locks are taken in this order: turn, then the monitor's."""

    def __init__(
        self, monitor: Monitor, moment: Callable[[], Moment], disk: Disk | None = None
    ) -> None:
        self.answers = Answers()
        self.unjournalled = 0
        """Events that were counted although they could not be journalled."""
        self.failing = False
        """Whether the disk refused the last time."""
        self.errors = 0
        """How often the disk refused."""
        self.disk = disk
        self._owed: list[Operation] = []
        """Changes that were made before the disk took them; it takes them first."""
        self._monitor = monitor
        self._moment = moment
        self._turn = threading.Lock()
        self._saving = threading.Lock()
        self._saved_at = moment().now

    def events(self, bodies: Sequence[Body], groups: Sequence[Checked]) -> list[Outcome]:
        """Count bodies that were checked; return what became of each. Raises DiskError."""
        with self._turn:
            at = self._moment()
            sent = [Sent(one.media_type, one.content, one.model, one.key) for one in bodies]
            events = sum(body.raw.size for body in bodies)
            self._journal([Events(at.now, at.wall, sent)], events)
            with self._monitor.lock:
                return self._count(bodies, groups, at)

    def events_at_once(
        self, bodies: Sequence[Body], check: Callable[[Sequence[Body]], Sequence[Checked]]
    ) -> list[Outcome] | None:
        """Count bodies if that needs no waiting, neither for the disk nor for anybody else."""
        if self._journals or not self._turn.acquire(blocking=False):
            return None
        try:
            if not self._monitor.lock.acquire(blocking=False):
                return None
            try:
                return self._count(bodies, check(bodies), self._moment())
            finally:
                self._monitor.lock.release()
        finally:
            self._turn.release()

    def forget(self, name: str, version: str | None) -> int:
        """Forget a model or a version; return how many versions went. Raises DiskError."""
        return self._change(lambda now: Forget(now, name, version), self._forget)

    def forget_idle(self) -> None:
        """Forget the models that were silent for long. Raises DiskError."""
        # All in one turn: an event that came between would be forgotten with its model.
        with self._turn:
            now = self._moment().now
            with self._monitor.lock:
                gone = [
                    Forget(now, one.name, one.version) for one in self._monitor.models.idle(now)
                ]
            if gone:
                self._journal(gone)
            with self._monitor.lock:
                self._monitor.expire(now)
                for one in gone:
                    self._forget(one)

    def refer(
        self,
        name: str,
        version: str | None,
        reference: Reference | None,
        check: Callable[[], None] = lambda: None,
    ) -> int:
        """Set or forget the reference that is sent; return how many versions it serves.

        ``check`` is called when nobody else changes anything; it may raise. Raises DiskError.
        """
        file = None if reference is None else file_of(reference)
        return self._change(lambda now: Refer(now, name, version, file), self._refer, check)

    def first(self, name: str, version: str, reference: Reference) -> None:
        """Let first events be a version's reference. Raises DiskError."""
        file = file_of(reference)
        self._change(lambda now: First(now, name, version, file), self._first)

    def configure(self, settings: Settings, references: Mapping[str, Reference]) -> None:
        """Take new settings and configured references. Raises DiskError."""
        self._change(self._configuration(settings, references), self._configure)

    def redo(self, one: Operation) -> None:
        """Make a change again that was journalled before; may raise whatever it raised then."""
        if isinstance(one, Events):
            bodies = [read(sent.media_type, sent.body, sent.model, sent.key) for sent in one.bodies]
            self._count(bodies, checked(bodies), Moment(one.now, one.wall))
        else:
            self._again[type(one)](one)

    @property
    def _again(self) -> Mapping[type[Operation], Callable[[Any], Any]]:
        return {
            Forget: self._forget,
            Refer: self._refer,
            First: self._first,
            Configure: self._configure,
        }

    def begin(self, settings: Settings, references: Mapping[str, Reference]) -> None:
        """Go on after a time away; if the disk refuses the settings, they go with what follows."""
        configuration = self._configuration(settings, references, start=True)
        try:
            self._change(configuration, self._configure)
        except DiskError:
            with self._turn, self._monitor.lock:
                one = configuration(self._moment().now)
                self._owed = [one]
                self._configure(one)

    @staticmethod
    def _configuration(
        settings: Settings, references: Mapping[str, Reference], *, start: bool = False
    ) -> Callable[[float], Configure]:
        files = {name: file_of(one) for name, one in references.items()}
        packed = settings_bytes(settings)
        return lambda now: Configure(now, packed, files, start)

    @property
    def _journals(self) -> bool:
        return self.disk is not None and self.disk.journals

    def _change(
        self,
        operation: Callable[[float], Any],
        apply: Callable[[Any], Result],
        check: Callable[[], None] = lambda: None,
    ) -> Result:
        with self._turn:
            check()
            one = operation(self._moment().now)
            self._journal([one])
            with self._monitor.lock:
                # As when it is done again: what is too old must not leave with another version.
                self._monitor.expire(one.now)
                return apply(one)

    def _count(
        self, bodies: Sequence[Body], groups: Sequence[Checked], at: Moment
    ) -> list[Outcome]:
        outcomes = [
            outcome
            for columns, rejected, sizes in groups
            for outcome in apart(self._monitor.ingest(columns, rejected, at), sizes)
        ]
        for body, outcome in zip(bodies, outcomes, strict=True):
            if body.key is not None:
                self.answers.keep(body.key, Answer(at.now, *told(outcome)))
        return outcomes

    def _forget(self, one: Forget) -> int:
        return self._monitor.delete(one.name, one.version)

    def _refer(self, one: Refer) -> int:
        models = self._monitor.models
        if one.file is None:
            known = models.references.sent.pop((one.name, one.version), None)
            models.refer(one.now)
            return int(known is not None)
        reference = models.references.of(one.file)
        models.references.sent[one.name, one.version] = reference
        models.refer(one.now)
        return sum(model.reference is reference for model in models.versions(one.name))

    def _first(self, one: First) -> None:
        models = self._monitor.models
        models.references.first[one.name, one.version] = models.references.of(one.file)
        models.refer(one.now)

    def _configure(self, one: Configure) -> None:
        if one.start:
            self._monitor.resume(one.now)
        references = self._monitor.models.references
        references.configured = {name: references.of(file) for name, file in one.references.items()}
        self._monitor.configure(settings_of(one.settings), one.now)

    def _journal(self, operations: Sequence[Operation], events: int = 0) -> None:
        """Have operations in the journal; raises DiskError where that is asked for."""
        disk = self.disk
        if disk is None or not disk.journals:
            return
        try:
            if disk.folder.journal_bytes > disk.most:
                raise OSError("the journal is full (max_journal_bytes): no snapshot could be saved")
            disk.folder.append(map(record_of, [*self._owed, *operations]))
            self._owed = []
        except OSError as error:
            self._disk_failed(error)
            self._go_beyond(disk, error)
            self.unjournalled += events
            return
        if self.failing:
            self.failing = False
            log.warning("the data folder can be written again")

    @staticmethod
    def _go_beyond(disk: Disk, error: OSError) -> None:
        """Allow what could not be journalled, if that is asked for; else raises DiskError."""
        if disk.on_error == "continue":
            # Counters would be slightly lower after a crash that nobody knows of.
            with contextlib.suppress(OSError):
                disk.folder.go_beyond()
                return
        raise DiskError(error.strerror or str(error)) from None

    def _disk_failed(self, error: OSError) -> None:
        self.errors += 1
        if not self.failing:
            self.failing = True
            log.error("the data folder cannot be written: %s", error.strerror or error)

    # -- snapshots

    def save_if_due(self) -> None:
        """Save a snapshot when one is due; may take long, events wait for the copying only."""
        disk = self.disk
        if disk is None or not disk.journals:
            return
        elapsed = self._moment().now - self._saved_at
        size = disk.folder.segment_bytes
        late = elapsed >= SNAPSHOT_SECONDS
        needed = disk.folder.journal_bytes > disk.most or (disk.folder.beyond and not self.failing)
        again = needed and elapsed >= RETRY_SECONDS
        if late or again or size >= disk.most // SNAPSHOT_SHARE:
            self.save()

    def save(self) -> bool:
        """Save a snapshot; return whether that could be done."""
        disk = self.disk
        if disk is None:
            return True
        with self._saving:
            try:
                self._save(disk)
            except OSError as error:
                self._disk_failed(error)
                return False
            finally:
                # After a failure too: trying again at once would only keep the disk busy.
                self._saved_at = self._moment().now
                allocator.give_back()  # the copy was as large as the state
        return True

    def _save(self, disk: Disk) -> None:
        with self._turn:
            with self._monitor.lock:
                state = list(self._dump(self._moment().now))
            number, errors = disk.folder.begin(), self.errors
        disk.folder.save(number, records(state))
        with self._turn:
            # What the disk refused meanwhile may have been counted, and is not in it.
            if self.errors == errors:
                disk.folder.settled()

    def _dump(self, now: float) -> Iterable[tuple[str, Any]]:
        settings = settings_bytes(self._monitor.settings)
        yield "head", {"format": FORMAT, "release": __version__, "now": now, "settings": settings}
        yield "answers", self.answers.dump()
        yield from self._monitor.models.dump(now)
