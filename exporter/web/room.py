"""Room for bodies: how many bytes of them are in memory, and how many wait to be counted.

Bodies that come slowly hold room without using it: when there is none left, they make it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from exporter.web.errors import Refused

BODIES_AT_ONCE: Final = 16
"""Bodies of the largest size that may be in memory together."""
REQUESTS_AT_ONCE: Final = 512
"""Requests of any size that may wait together, their bodies whole."""
SLOW_SECONDS: Final = 5.0
"""A body that has been coming for so long makes room for others."""


def busy(what: str) -> Refused:
    """Return the refusal of one request too many."""
    return Refused(503, f"too many {what} at once", headers={"retry-after": "1"})


class Room:
    """The bodies of all requests under way."""

    def __init__(self, slow_seconds: float = SLOW_SECONDS) -> None:
        self._slow = slow_seconds
        self._bytes = 0
        self._waiting = 0
        self._coming: dict[Body, float] = {}

    @contextmanager
    def body(self) -> Iterator[Body]:
        """Give a body that begins to come, and its room until the end of the block."""
        one = Body(self)
        self._coming[one] = asyncio.get_running_loop().time()
        try:
            yield one
        finally:
            self._coming.pop(one, None)
            self._bytes -= one.size

    @contextmanager
    def whole(self, body: Body) -> Iterator[None]:
        """Let a body wait to be counted; raises :class:`Refused` if too many do."""
        self._coming.pop(body, None)
        if self._waiting >= REQUESTS_AT_ONCE:
            raise busy("requests")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def take(self, body: Body, size: int, most: int) -> None:
        """Take ``size`` bytes of ``most``; raises :class:`Refused` if nobody makes room."""
        while self._bytes + size > most:
            slowest = next(iter(self._coming), body)
            since = self._coming.get(slowest, 0.0)
            if slowest is body or asyncio.get_running_loop().time() - since < self._slow:
                raise busy("bodies")
            del self._coming[slowest]
            self._bytes -= slowest.size
            slowest.give_up()
        self._bytes += size
        body.size += size


class Body:
    """The room of one body."""

    def __init__(self, room: Room) -> None:
        self.size = 0
        self.given_up = False
        self._room = room
        self._waiting: asyncio.Timeout | None = None

    def hold(self, size: int, limit: int) -> None:
        """Take room for a part of it; ``limit`` is that of a single body.

        Raises :class:`Refused` if there is none, ``TimeoutError`` if what it had was taken away.
        """
        if self.given_up:
            raise TimeoutError
        self._room.take(self, size, BODIES_AT_ONCE * limit)

    def waits(self, waiting: asyncio.Timeout) -> None:
        """Remember what ends the waiting for it."""
        self._waiting = waiting

    def give_up(self) -> None:
        """Let the request be refused: its room is somebody else's now."""
        self.size = 0
        self.given_up = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())
