"""A request's body, never more of it than is allowed."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from starlette.types import Receive

from exporter.web.errors import Refused

BODY_SECONDS: Final = 30.0
"""How long a client may take to send its body."""
_GZIP: Final = 16 + zlib.MAX_WBITS
# The rest of a body that is refused is not read: the connection ends.
_CLOSE: Final = {"connection": "close"}


def too_large(limit: int) -> Refused:
    """Return the refusal of a body over ``limit`` bytes."""
    return Refused(413, f"body is larger than max_body_bytes ({limit} bytes)", headers=_CLOSE)


class Disconnected(Exception):
    """The client went away before its body was whole."""


async def read(receive: Receive, declared: bytes | None, limit: int) -> bytes:
    """Return the body; raises :class:`Refused` when it is too large or too slow."""
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _gather(receive, limit)
    except TimeoutError:
        raise Refused(408, f"body did not arrive in {BODY_SECONDS:g} s", headers=_CLOSE) from None


async def _gather(receive: Receive, limit: int) -> bytes:
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
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def gunzip(body: bytes, limit: int) -> bytes:
    """Return ``body`` decompressed, at most ``limit`` bytes of it."""
    parts: list[bytes] = []
    room = limit
    rest = body
    while rest:
        stream = zlib.decompressobj(_GZIP)
        try:
            parts.append(stream.decompress(rest, room + 1))
        except zlib.error as error:
            raise Refused(400, f"body is not gzip: {error}") from None
        room -= len(parts[-1])
        if room < 0:
            raise too_large(limit)
        if not stream.eof:
            raise Refused(400, "body is not gzip: it ends too early")
        rest = stream.unused_data
    return b"".join(parts)
