"""``POST /v1/events``: a plain ASGI callable, since this is where the traffic is.

Small bodies that arrive together are journalled and counted together, in the one thread that
counts: while it waits for the disk, the next ones gather. Where nothing is journalled, they are
counted on the event loop, unless somebody else is counting or reading. Large bodies are read in a
thread of their own.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import lru_cache
from typing import Final

import orjson
from starlette.types import Receive, Scope, Send

from exporter.events import MAX_EVENTS
from exporter.ingest import FORMATS, BodyError, TooManyEvents, Unavailable
from exporter.intake import Outcome
from exporter.ledger import Body, DiskError, checked
from exporter.service import Service, TooFast
from exporter.told import told
from exporter.web import body as bodies
from exporter.web.errors import Refused
from exporter.web.gate import check_open
from exporter.web.idempotency import Answers
from exporter.web.room import BODY_SECONDS, SLOW_SECONDS, Room, busy
from exporter.web.yielding import Precedence

log = logging.getLogger("modelmeter")

INLINE_BYTES: Final = 32 * 1024
"""Bodies up to this size (a few milliseconds of work) are counted on the event loop."""
INLINE_EVENTS: Final = 1000
"""Events of small bodies up to this number are counted on the event loop together."""
EVENTS_AT_ONCE: Final = MAX_EVENTS
"""Events of small bodies that may wait to be counted together: each takes far more memory than
the bytes it came in."""

Answer = tuple[int, bytes, dict[str, str]]
Batch = list[tuple[Body, "asyncio.Future[Outcome]"]]
"""Bodies that wait to be counted, and who waits for the outcome."""
Counted = list[Outcome] | Exception


class EventsRoute:
    """The ingest route."""

    def __init__(
        self,
        service: Service,
        counting: Executor,
        reading: Executor,
        body_seconds: float = BODY_SECONDS,
        slow_seconds: float = SLOW_SECONDS,
        precedence: Precedence | None = None,
    ) -> None:
        self._service = service
        self._counting_thread = counting
        self._reading_thread = reading
        self._answers = Answers(service)
        self._precedence = precedence or Precedence()
        self._room = Room(body_seconds, slow_seconds)
        self._waiting: Batch = []
        self._waiting_events = 0
        self._counting = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        key = headers.get(b"idempotency-key")
        try:
            if key is None:
                answer = await self._answer(headers, receive, None)
            else:
                answer = await self._answers.once(key, lambda: self._answer(headers, receive, key))
        except bodies.Disconnected:
            return
        await _send(send, *answer)

    async def _answer(
        self, headers: Mapping[bytes, bytes], receive: Receive, key: bytes | None
    ) -> Answer:
        """Return the answer to a request, whatever becomes of it."""
        try:
            status, content = await self._take(headers, receive, key)
            if status == 200:
                return status, content, {}
            extra: dict[str, str] = {}
        except Refused as error:
            status, content, extra = error.status, orjson.dumps(error.body), error.headers
        except bodies.Disconnected:
            raise
        except DiskError as error:
            told_why = {"error": f"events cannot be saved: {error}", "detail": []}
            status, content, extra = 503, orjson.dumps(told_why), {"retry-after": "5"}
        except Exception:
            log.exception("a body could not be counted")
            status, extra = 500, {}
            content = orjson.dumps({"error": "internal error, see the log", "detail": []})
        self._service.requests.refused[status] += 1
        return status, content, extra

    async def _take(
        self, headers: Mapping[bytes, bytes], receive: Receive, key: bytes | None
    ) -> tuple[int, bytes]:
        limit = self._service.settings.max_body_bytes
        check_open(self._service)
        media_type = _media_type(headers.get(b"content-type", b""))
        zipped = _zipped(headers)
        with self._room.body() as room:
            body = await bodies.read(receive, headers.get(b"content-length"), limit, room)
            room.whole()
            return await self._count(media_type, body, zipped, headers.get(b"x-model"), key)

    async def _count(
        self,
        media_type: str,
        content: bytes,
        zipped: bool,
        model: bytes | None,
        key: bytes | None,
    ) -> tuple[int, bytes]:
        name = None if model is None else model.decode("latin-1")
        if len(content) <= INLINE_BYTES and not zipped:
            return told(await self._gathered(self._read(media_type, content, name, key)))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._reading_thread, self._whole, media_type, content, zipped, name, key
        )

    async def _gathered(self, body: Body) -> Outcome:
        """Have events counted together with those of the other requests of this moment."""
        if self._waiting_events + body.raw.size > EVENTS_AT_ONCE:
            raise busy("events")
        self._waiting_events += body.raw.size
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        if not self._waiting and not self._counting:
            loop.call_soon(self._count_waiting)
        self._waiting.append((body, future))
        return await future

    def _count_waiting(self) -> None:
        """Count what was gathered: at once, or in the thread that may wait."""
        if not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        events, self._waiting_events = self._waiting_events, 0
        sent = [body for body, _ in batch]
        counted: Counted | None = None
        if events <= INLINE_EVENTS and not self._precedence.taken:
            counted = self._at_once(sent)
        if counted is not None:
            _settle(batch, counted)
            return
        self._counting = True
        loop = asyncio.get_running_loop()
        later = loop.run_in_executor(self._counting_thread, self._count_in_turn, sent)
        later.add_done_callback(lambda done: self._counted(batch, done))

    def _at_once(self, sent: Sequence[Body]) -> Counted | None:
        try:
            return self._service.ledger.events_at_once(sent, checked)
        except Exception as error:
            return error

    def _count_in_turn(self, sent: Sequence[Body]) -> Counted:
        self._precedence.give_way()
        try:
            return self._service.ledger.events(sent, checked(sent))
        except Exception as error:
            return error

    def _counted(self, batch: Batch, done: asyncio.Future[Counted]) -> None:
        self._counting = False
        _settle(batch, done.result())
        self._count_waiting()

    def _whole(
        self, media_type: str, content: bytes, zipped: bool, model: str | None, key: bytes | None
    ) -> tuple[int, bytes]:
        limit = self._service.settings.max_body_bytes
        self._precedence.give_way()
        plain = bodies.gunzip(content, limit) if zipped else content
        body = self._read(media_type, plain, model, key)
        self._precedence.give_way()
        # Checked before any lock is taken: a body full of faults must not hold up a scrape.
        events = checked([body])
        self._precedence.give_way()
        return told(self._service.ledger.events([body], events)[0])

    def _read(self, media_type: str, content: bytes, model: str | None, key: bytes | None) -> Body:
        try:
            return self._service.read(media_type, content, model, key)
        except TooManyEvents as error:
            raise Refused(413, error.error) from None
        except BodyError as error:
            raise Refused(400, error.error, [error.detail] if error.detail else []) from None
        except Unavailable as error:
            raise Refused(415, str(error)) from None
        except TooFast as error:
            wait = {"retry-after": str(math.ceil(error.retry_after))}
            raise Refused(429, str(error), headers=wait) from None


def _settle(batch: Batch, counted: Counted) -> None:
    """Tell every request what became of its events; some may have gone away by now."""
    for place, (_, future) in enumerate(batch):
        if future.done():
            continue
        if isinstance(counted, Exception):
            future.set_exception(counted)
        else:
            future.set_result(counted[place])


@lru_cache(maxsize=64)
def _media_type(told: bytes) -> str:
    media_type = told.split(b";")[0].strip().lower().decode("latin-1")
    if media_type not in FORMATS:
        raise Refused(
            415, f"content type {media_type or '(none)'} is not known", [{"allowed": list(FORMATS)}]
        )
    return media_type


def _zipped(headers: Mapping[bytes, bytes]) -> bool:
    if b"content-encoding" not in headers:
        return False
    encoding = headers[b"content-encoding"].strip().lower()
    if encoding not in (b"gzip", b"identity", b""):
        shown = encoding.decode("latin-1")
        raise Refused(415, f"content encoding {shown} is not known", [{"allowed": ["gzip"]}])
    return encoding == b"gzip"


async def _send(send: Send, status: int, content: bytes, extra: Mapping[str, str]) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        *((name.encode(), value.encode()) for name, value in extra.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
