"""A start from what is on disk: the last snapshot, and the journal behind it done again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeVar

from exporter.ledger import FORMAT, ROUNDING, Ledger
from exporter.models import Models
from exporter.monitor import Monitor
from exporter.operations import Configure, Events, operation_of, settings_of
from exporter.store.folder import Damaged, Folder
from exporter.store.parts import parts

log = logging.getLogger("modelmeter")

CATCH_UP_SECONDS: Final = 5.0
"""How often what ticks do is done while the journal is done again."""


One = TypeVar("One")


class Stopped(Exception):
    """It was told to stop in the middle; on disk all is as it was."""


class Restored(NamedTuple):
    """What was brought back."""

    now: float | None
    """The time that the state is of, ``None`` where nothing was there."""
    operations: int
    """Operations of the journal that were done again."""
    lost: bool
    """Whether something that was counted is not there: counters begin anew at 0."""


class _Start(NamedTuple):
    """Where the journal begins that is to be done again."""

    segment: int
    now: float | None
    lost: bool


def restore(
    ledger: Ledger, monitor: Monitor, folder: Folder, stopping: Callable[[], bool] = lambda: False
) -> Restored:
    """Bring the state back, as it was when the last operation was journalled.

    What is damaged is set aside, and the service starts. Counters then begin anew: were they only
    slightly lower than before, Prometheus would take almost all of the total for new. Raises
    :class:`Stopped` soon after ``stopping`` says so.
    """
    start = _load(ledger, monitor, folder, stopping)
    now, lost, done = start.now, start.lost or folder.beyond, 0
    caught_up = now or 0.0
    try:
        for record in _until(stopping, folder.replay(start.segment)):
            try:
                operation = operation_of(record)
                before, now = now, operation.now
                if isinstance(operation, Configure) and operation.start:
                    # As at that start: what was counted since was added to the higher sums.
                    monitor.catch_up(before or now)
                    monitor.models.raise_totals(ROUNDING)
                elif now - caught_up >= CATCH_UP_SECONDS or not isinstance(operation, Events):
                    # Under other settings, or with a model gone, less would leave for its age.
                    monitor.catch_up(now)
                    caught_up = now
                ledger.redo(operation)
                done += 1
            except Exception:
                if not lost:
                    log.exception("an operation of the journal cannot be done again")
                lost = True
    except Damaged as error:
        log.error("acknowledged events are lost, counters begin anew: %s", error)
        _set_aside(folder, error)
        lost = True
    if now is not None:
        # What still waits to be counted belongs to the totals too.
        monitor.catch_up(now)
    if lost:
        monitor.models.forget_totals()
    elif done:
        monitor.models.raise_totals(ROUNDING)
    return Restored(now, done, lost)


def _until(stopping: Callable[[], bool], every: Iterable[One]) -> Iterator[One]:
    for one in every:
        if stopping():
            raise Stopped
        yield one


def _load(ledger: Ledger, monitor: Monitor, folder: Folder, stopping: Callable[[], bool]) -> _Start:
    """Load the newest snapshot that is whole; the one before leads to the same state."""
    numbers = folder.snapshots()
    for number in numbers:
        try:
            records = _until(stopping, folder.read_snapshot(number))
            now = _state(ledger, monitor, parts(records))
        except Stopped:
            raise
        except Damaged as error:
            log.error("%s", error)
            _set_aside(folder, error)
        except Exception:
            log.exception("a snapshot cannot be read")
            folder.set_snapshot_aside(number)
        else:
            return _Start(number, now, False)
    if numbers:
        log.error("no snapshot can be read: counters begin anew")
    # Where the journal was cut there was a snapshot, set aside by a start that did not get far.
    first = folder.first_segment()
    return _Start(first, None, bool(numbers) or first > 1)


def _state(ledger: Ledger, monitor: Monitor, state: Iterator[tuple[str, Any]]) -> float:
    _, head = next(state)
    if head["format"] != FORMAT:
        raise ValueError(
            f"format {head['format']} is not known, release {head['release']} wrote it"
        )
    models = Models(settings_of(head["settings"]))
    _, answers = next(state)
    models.load(state)
    ledger.answers.load(answers)
    monitor.models = models
    return float(head["now"])


def _set_aside(folder: Folder, error: Damaged) -> None:
    if error.path.exists():
        folder.set_aside(error.path)
    else:
        folder.damaged += 1
