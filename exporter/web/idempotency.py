"""``Idempotency-Key``: a repeat of a request gets the first one's answer, and is not counted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from exporter.service import Service

Reply = tuple[int, bytes, dict[str, str]]


class _BrokenOff(Exception):
    """The first request of a key ended without an answer."""


class Answers:
    """Answers to requests with a key: those that were given, and those that are being worked on.

    What was counted is answered again; what the client may mend or wait for is tried anew.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._working: dict[bytes, asyncio.Future[Reply]] = {}

    async def once(self, key: bytes, answer: Callable[[], Awaitable[Reply]]) -> Reply:
        """Return the answer kept under ``key``; else ask for one."""
        while (first := self._working.get(key)) is not None:
            # When the first was broken off, the next one that waited takes its place.
            with contextlib.suppress(_BrokenOff):
                return await asyncio.shield(first)
        now = self._service.clock.monotonic()
        known = self._service.ledger.answers.get(key, now)
        if known is not None:
            return known.status, known.content, {}
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._working[key] = future
        try:
            given = await answer()
        except BaseException as error:
            future.set_exception(_BrokenOff())
            future.exception()
            raise error
        finally:
            del self._working[key]
        future.set_result(given)
        return given
