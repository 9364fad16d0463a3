"""Sends events to modelmeter in the background: bounded, in batches, never in the caller's way."""

import http
import logging
import queue
import threading
import urllib.parse
from collections.abc import Mapping

from exporter.demo.connection import Connection

log = logging.getLogger(__name__)

Event = Mapping[str, object]

BATCH = 500
PAUSE = 0.2
CAPACITY = 10_000
ATTEMPTS = 3
CLOSING_TIMEOUT = 5.0


class EventSender:
    """Queues events and posts them to `url` as JSON arrays, from a thread of its own.

    `send` returns at once and never raises: over `capacity` waiting events, and after three
    attempts at a batch, events are dropped and counted. Events with an id may safely arrive twice.
    """

    def __init__(self, url: str, *, capacity: int = CAPACITY, pause: float = PAUSE) -> None:
        self._connection = Connection.to(url)
        self._path = urllib.parse.urlsplit(url).path
        self._queue: queue.Queue[Event] = queue.Queue(capacity)
        self._pause = pause
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="event-sender", daemon=True)
        self.sent = 0
        self.dropped = 0

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def send(self, event: Event) -> None:
        """Queue an event, or drop it when too many wait."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.dropped += 1

    def close(self, timeout: float = CLOSING_TIMEOUT) -> None:
        """Send what waits, for at most so many seconds, and stop."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._closing.wait(self._pause):
            self._flush()
        self._flush()
        self._connection.close()

    def _flush(self) -> None:
        while batch := self._take():
            if self._deliver(batch):
                self.sent += len(batch)
            else:
                self.dropped += len(batch)

    def _take(self) -> list[Event]:
        batch: list[Event] = []
        while len(batch) < BATCH:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _deliver(self, batch: list[Event]) -> bool:
        for attempt in range(ATTEMPTS):
            answer = self._connection.post(self._path, batch)
            if answer is not None and answer.status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                return _is_accepted(answer.status, answer.body)
            if attempt < ATTEMPTS - 1:
                self._closing.wait(self._pause * 2**attempt)
        log.warning("modelmeter cannot be reached; %d events are lost", len(batch))
        return False


def _is_accepted(status: int, body: bytes) -> bool:
    if status != http.HTTPStatus.OK:
        log.warning("modelmeter answered %d: %s", status, body[:500].decode(errors="replace"))
    return status == http.HTTPStatus.OK
