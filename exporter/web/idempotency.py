"""``Idempotency-Key``: a repeat of a request gets the first one's answer, and is not counted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

Answer = tuple[int, bytes, dict[str, str]]

KEEP_SECONDS: Final = 600.0
MAX_BYTES: Final = 16 * 2**20
"""Answers kept; the oldest leave first."""
_OVERHEAD: Final = 500
# What the client may mend or wait for is tried anew; what was counted is not.
_FINAL: Final = (200, 422)


class _BrokenOff(Exception):
    """The first request of a key ended without an answer."""


class Answers:
    """Answers to requests with a key, for ten minutes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[bytes, tuple[float, asyncio.Future[Answer]]] = {}
        self._bytes = 0

    async def once(self, key: bytes, answer: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer kept under ``key``; else ask for one, and keep it if it is final."""
        self._forget()
        while (known := self._kept.get(key)) is not None:
            # When the first was broken off, the next one that waited takes its place.
            with contextlib.suppress(_BrokenOff):
                return await asyncio.shield(known[1])
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._kept[key] = (self._clock(), future)
        try:
            given = await answer()
        except BaseException as error:
            self._kept.pop(key, None)
            future.set_exception(_BrokenOff())
            future.exception()
            raise error
        future.set_result(given)
        if given[0] in _FINAL:
            self._bytes += _size(key, given)
        else:
            self._kept.pop(key, None)
        return given

    def _forget(self) -> None:
        """Drop what is too old, or too much."""
        now = self._clock()
        for key, (at, future) in list(self._kept.items()):
            if now - at < KEEP_SECONDS and self._bytes <= MAX_BYTES:
                return
            if future.done():
                del self._kept[key]
                self._bytes -= _size(key, future.result())


def _size(key: bytes, answer: Answer) -> int:
    return len(key) + len(answer[1]) + _OVERHEAD
