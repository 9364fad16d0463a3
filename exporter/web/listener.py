"""Accepts connections as long as there is room for them, and ends handshakes that take too long."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from ssl import SSLContext
from typing import Final

from exporter.web.connection import answer
from exporter.web.connections import Connections, State

log = logging.getLogger("modelmeter")

AT_ONCE: Final = 64
"""Connections accepted in one turn: what they ask for is read in the next, so that a crowd of
clients is not taken for one that says nothing."""
PAUSE_SECONDS: Final = 0.1
"""How long nothing is accepted after it failed, such as for want of file descriptors."""
_BUSY: Final = answer(503, "too many connections", b"retry-after: 1")


class Listener:
    """A listening socket on the event loop."""

    def __init__(
        self,
        listening: socket.socket,
        create: Callable[[Opening], asyncio.Protocol],
        context: Callable[[], SSLContext | None],
        connections: Connections,
    ) -> None:
        self._listening = listening
        self._create = create
        self._context = context
        self._all = connections
        self._loop = asyncio.get_running_loop()
        self._opening: set[Opening] = set()
        self._closed = False
        listening.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Accept nothing any more."""
        self._closed = True
        self._loop.remove_reader(self._listening)
        for one in self._opening:
            self._all.leave(one)
            one.drop()

    async def wait_closed(self) -> None:
        """Return when nothing is accepted any more: that is at once."""

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                accepted, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._all.make_room()
                self._loop.remove_reader(self._listening)
                self._loop.call_later(PAUSE_SECONDS, self._resume)
                return
            accepted.setblocking(False)
            self._take(accepted)

    def _take(self, accepted: socket.socket) -> None:
        context = self._context()
        if not self._all.make_room():
            self._refuse(accepted, context)
            return
        opening = Opening(self._all, shakes_hands=context is not None)
        self._all.enter(opening, State.HANDSHAKE, self._loop.time())
        self._opening.add(opening)
        opening.task = self._loop.create_task(self._open(accepted, context, opening))
        opening.task.add_done_callback(lambda done: self._opened(accepted, opening, done))

    async def _open(
        self, accepted: socket.socket, context: SSLContext | None, opening: Opening
    ) -> None:
        await self._loop.connect_accepted_socket(
            lambda: self._create(opening), accepted, ssl=context
        )

    def _opened(self, accepted: socket.socket, opening: Opening, done: asyncio.Task[None]) -> None:
        self._all.leave(opening)
        self._opening.discard(opening)
        # A transport that has it closes it when it closes; what goes wrong in a handshake is the
        # client's affair.
        if done.cancelled():
            accepted.close()
        elif (error := done.exception()) is not None:
            accepted.close()
            if not isinstance(error, OSError):
                log.error("a connection could not be served", exc_info=error)

    def _refuse(self, accepted: socket.socket, context: SSLContext | None) -> None:
        """Say that there is no room, where that can be said without a handshake."""
        with accepted, contextlib.suppress(OSError):
            if context is not None:
                self._all.requests.closed["limit"] += 1
                return
            self._all.requests.refused[503] += 1
            accepted.send(_BUSY)
            accepted.shutdown(socket.SHUT_WR)
            # What lies unread when a socket is closed takes the answer away again.
            accepted.recv(65536)


class Opening:
    """A connection before there is a protocol to speak: it may have to shake hands first."""

    def __init__(self, connections: Connections, *, shakes_hands: bool) -> None:
        self.state: State | None = None
        self.task: asyncio.Task[None] | None = None
        self._all = connections
        self._shakes_hands = shakes_hands

    def held_bytes(self) -> int:
        """Return 0: nothing is kept of a handshake."""
        return 0

    def late(self) -> None:
        """The client does not shake hands."""
        self._all.requests.closed["handshake_timeout"] += 1
        self._all.leave(self)
        self.drop()

    def drop(self) -> None:
        """Go at once; without a handshake the protocol is there at once, and sees to it."""
        if self._shakes_hands and self.task is not None:
            self.task.cancel()
