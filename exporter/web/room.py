"""Room for bodies: how many bytes of them are in memory, and how many wait to be counted.

Bodies that come slowly hold room without using it: when there is none left, they make it. Those
that come too slowly are not waited for. One timer watches over all of them: nearly every body is
whole when it is asked for, and a timer for each would cost more than reading it.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Final

from exporter.web.errors import Refused

BODIES_AT_ONCE: Final = 16
"""Bodies of the largest size that may be in memory together."""
REQUESTS_AT_ONCE: Final = 512
"""Requests of any size that may wait together, their bodies whole."""
BODY_SECONDS: Final = 30.0
"""How long a client may take to send its body."""
SLOW_SECONDS: Final = 5.0
"""A body that has been coming for so long makes room for others."""


def busy(what: str) -> Refused:
    """Return the refusal of one request too many."""
    return Refused(503, f"too many {what} at once", headers={"retry-after": "1"})


class Room:
    """The bodies of all requests under way."""

    def __init__(
        self, body_seconds: float = BODY_SECONDS, slow_seconds: float = SLOW_SECONDS
    ) -> None:
        self._seconds = body_seconds
        self._slow = slow_seconds
        self._bytes = 0
        self._waiting = 0
        self._coming: dict[Body, float] = {}
        """Since when each comes, the first first."""
        self._watching = False

    def body(self) -> Body:
        """Return the room of a body that begins to come; it is given back at the end of a block."""
        one = Body(self)
        self._coming[one] = asyncio.get_running_loop().time()
        if not self._watching:
            self._watch()
        return one

    def _watch(self) -> None:
        """Give up bodies that take too long, and look again when the next one may."""
        loop = asyncio.get_running_loop()
        self._watching = False
        while self._coming:
            one, since = next(iter(self._coming.items()))
            if loop.time() - since < self._seconds:
                self._watching = True
                loop.call_at(since + self._seconds, self._watch)
                return
            self._give_up(one, f"body did not arrive in {self._seconds:g} s")

    def _give_up(self, one: Body, why: str) -> None:
        del self._coming[one]
        self._bytes -= one.size
        one.give_up(why)

    def whole(self, one: Body) -> None:
        """Let a body wait to be counted; raises :class:`Refused` if too many do."""
        self._coming.pop(one, None)
        if self._waiting >= REQUESTS_AT_ONCE:
            raise busy("requests")
        self._waiting += 1
        one.waits = True

    def leave(self, one: Body) -> None:
        """Take back the room of a body."""
        self._coming.pop(one, None)
        self._bytes -= one.size
        self._waiting -= one.waits

    def take(self, one: Body, size: int, most: int) -> None:
        """Take ``size`` bytes of ``most``; raises :class:`Refused` if nobody makes room."""
        while self._bytes + size > most:
            slowest = next(iter(self._coming), one)
            since = self._coming.get(slowest, 0.0)
            if slowest is one or asyncio.get_running_loop().time() - since < self._slow:
                raise busy("bodies")
            self._give_up(slowest, "body came too slowly while others wanted its room")
        self._bytes += size
        one.size += size


class Body:
    """The room of one body, and the task that reads it."""

    def __init__(self, room: Room) -> None:
        self.size = 0
        self.waits = False
        """Whether it is whole, and waits to be counted."""
        self.given_up: str | None = None
        """Why it is not waited for any longer."""
        self._room = room
        self._task: asyncio.Task[Any] | None = asyncio.current_task()

    def __enter__(self) -> Body:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._room.leave(self)

    def hold(self, size: int, limit: int) -> None:
        """Take room for a part of it; ``limit`` is that of a single body.

        Raises :class:`Refused` if there is none.
        """
        self._room.take(self, size, BODIES_AT_ONCE * limit)

    def whole(self) -> None:
        """All of it is there; raises :class:`Refused` if too many wait to be counted."""
        self._room.whole(self)

    def give_up(self, why: str) -> None:
        """Let the request be refused: its room is somebody else's now."""
        self.size = 0
        self.given_up = why
        if self._task is not None:
            self._task.cancel()

    def cancelled_by_room(self) -> bool:
        """Return whether it was given up, and the task that reads it is not to end for more."""
        return self.given_up is not None and self._task is not None and not self._task.uncancel()
