"""One connection: uvicorn's protocol, with bounds on what a client may send and how slowly.

uvicorn limits neither the size of a request's head nor the time it takes, nor how long an answer
may lie untaken.
"""

from __future__ import annotations

from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from exporter.web.connections import Connections, Held, State

_LATE = {
    State.IDLE: "idle",
    State.HEAD: "header_timeout",
    State.REST: "body_timeout",
    State.CLOSING: "write_timeout",
    State.WRITING: "write_timeout",
}
"""Why a connection is closed without an answer when it has been too long in a state."""


class Connection(HttpToolsProtocol):
    """A client's connection."""

    def __init__(self, *, connections: Connections, opening: Held, **options: Any) -> None:
        super().__init__(**options)
        self.state: State | None = None
        self._opening = opening
        self._all = connections
        self._limits = connections.limits
        self.ws_protocol_class = None  # nothing here is a WebSocket, whatever is installed
        self._in_head = False
        self._in_body = False
        self._raw = 0
        self._head = 0
        self._count = 0
        self._refusal: tuple[int, str] | None = None
        self._running: RequestResponseCycle | None = None

    # What the transport tells.

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        if self._opening.state is None:
            self.transport.abort()
            return
        self._all.leave(self._opening)
        self._enter(State.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._give_up()
        super().connection_lost(exc)
        self._all.leave(self)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent; after a refusal it is thrown away."""
        if self.state in (State.LINGER, None):
            return
        if not self._in_body:
            self._raw += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Answered as if nothing else had been asked for; what follows would not be parsed.
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(*(self._refusal or (400, "the request is not HTTP")))
            return
        if not self._in_body and self._raw > self._limits.head_bytes:
            self._refuse(431, self._too_large())
            return
        self._settle()
        if self.cycle is not None and self.cycle.body:
            self._all.added(len(data))

    def pause_writing(self) -> None:
        """The client does not take what it asked for."""
        super().pause_writing()
        self._settle()
        self._all.added(self.held_bytes())

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        self._settle()

    # What the parser tells.

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head = True
        self._head = self._count = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer of a body."""
        self._count += 1
        self._measure(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: the request can be answered."""
        if len(self.pipeline) >= self._limits.pipelined:
            self._refusal = 503, "too many requests at once on this connection"
            raise ValueError(self._refusal[1])
        super().on_headers_complete()
        self._in_head, self._in_body, self._raw = False, True, 0

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        self._in_body = False

    def on_response_complete(self) -> None:
        """The request is answered."""
        super().on_response_complete()
        self._unset_keepalive_if_required()
        self._settle()

    # What the other connections want of this one.

    def held_bytes(self) -> int:
        """Return the bytes that wait for the client or for a reader."""
        unread = 0 if self.cycle is None else len(self.cycle.body)
        return unread + int(self.transport.get_write_buffer_size())

    def late(self) -> None:
        """End what has lasted too long."""
        if self.state is State.HEAD and self._begun():
            self._refuse(408, f"the head did not arrive in {self._limits.head_seconds:g} s")
            return
        unsent = self.transport.get_write_buffer_size() > 0
        reason = "write_timeout" if unsent else _LATE.get(self.state or State.LINGER)
        if reason is not None:
            self._all.requests.closed[reason] += 1
        self._abort()

    def drop(self) -> None:
        """Go at once, though not within a call of the transport's own."""
        self.loop.call_soon(self._abort)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _give_up(self) -> None:
        """Answer nothing any more: not even what is being answered."""
        self.pipeline.clear()
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()

    def _abort(self) -> None:
        self._all.leave(self)
        self._give_up()
        self.transport.abort()

    def _measure(self, size: int) -> None:
        self._head += size
        if self._head > self._limits.head_bytes or self._count > self._limits.headers:
            self._refusal = 431, self._too_large()
            raise ValueError(self._refusal[1])

    def _too_large(self) -> str:
        return (
            f"the head is larger than {self._limits.head_bytes} bytes "
            f"or has more than {self._limits.headers} fields"
        )

    def _begun(self) -> bool:
        return self._in_head or self._raw > 0

    def _answering(self) -> bool:
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _settle(self) -> None:
        """Find out what the connection waits for now."""
        if self.state in (State.LINGER, None):
            return
        if self.flow.write_paused:
            state = State.WRITING
        elif self.transport.is_closing():
            state = State.CLOSING
        elif self._answering():
            state = State.BODY if self.cycle.more_body else State.WORKING
        elif self._in_body:
            state = State.REST
        else:
            state = State.HEAD if self._begun() or self.cycle is None else State.IDLE
        if state is not self.state:
            self._enter(state)

    def _enter(self, state: State) -> None:
        self._all.enter(self, state, self.loop.time())

    def _refuse(self, status: int, error: str) -> None:
        """Answer what is no request, and stay for a moment so that the client sees it.

        A socket that is closed while bytes lie in it unread takes the answer away again.
        """
        if self._answering():
            self._all.requests.closed["limit" if status == 503 else "invalid"] += 1
            self._abort()
            return
        self._all.requests.refused[status] += 1
        self._enter(State.LINGER)
        self.transport.write(answer(status, error))
        if self.transport.can_write_eof():
            self.transport.write_eof()


def answer(status: int, error: str, *headers: bytes) -> bytes:
    """Return a whole answer in the one shape that errors have; the connection ends with it."""
    body = orjson.dumps({"error": error, "detail": []})
    fields = [
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"connection: close",
        *headers,
    ]
    return STATUS_LINE[status] + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body
