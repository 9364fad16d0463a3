"""A request's body, never more of it than is allowed."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from starlette.types import Receive

from exporter.web.errors import Refused
from exporter.web.room import Body

_GZIP: Final = 16 + zlib.MAX_WBITS
_PIECE: Final = 4096
# Who is too slow is not waited for any longer. After other refusals the connection stays, and the
# rest of the body is thrown away as it comes: a client that cannot finish sending sees no answer.
_CLOSE: Final = {"connection": "close"}


def too_large(limit: int) -> Refused:
    """Return the refusal of a body over ``limit`` bytes."""
    return Refused(413, f"body is larger than max_body_bytes ({limit} bytes)")


class Disconnected(Exception):
    """The client went away before its body was whole."""


async def read(receive: Receive, declared: bytes | None, limit: int, room: Body) -> bytes:
    """Return the body; raises :class:`Refused` when it is too large or too slow.

    Each part takes of its ``room`` before it is kept; that may be refused, or taken away.
    """
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    try:
        return await _gather(receive, limit, room)
    except asyncio.CancelledError:
        if not room.cancelled_by_room():
            raise
        raise Refused(408, room.given_up or "", headers=_CLOSE) from None


async def _gather(receive: Receive, limit: int, room: Body) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(limit)
        room.hold(len(part), limit)
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def gunzip(body: bytes, limit: int) -> bytes:
    """Return ``body`` decompressed, at most ``limit`` bytes of it; it may have several members."""
    parts: list[bytes] = []
    room = limit
    rest = memoryview(body)
    while rest:
        stream = zlib.decompressobj(_GZIP)
        while not stream.eof:
            if not rest:
                raise Refused(400, "body is not gzip: it ends too early")
            # A small piece at a time: what follows a member is copied out of its last piece.
            piece = rest[:_PIECE]
            part = _inflate(stream, piece, room + 1)
            rest = rest[len(piece) - len(stream.unused_data) :]
            room -= len(part)
            if room < 0:
                raise too_large(limit)
            if part:
                parts.append(part)
    return b"".join(parts)


def _inflate(stream: zlib._Decompress, piece: memoryview, longest: int) -> bytes:
    try:
        return stream.decompress(piece, longest)
    except zlib.error as error:
        raise Refused(400, f"body is not gzip: {error}") from None
