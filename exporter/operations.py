"""Every change of the state, as it stands in the journal: doing them again leads to the same."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import msgspec

from exporter.config import Settings
from exporter.packing import plain


class Sent(msgspec.Struct, array_like=True):
    """A body of events as it came, decompressed."""

    media_type: str
    body: bytes
    model: str | None
    """The model of events that name none."""
    key: bytes | None
    """The request's ``Idempotency-Key``."""


class Events(msgspec.Struct, tag="events", array_like=True):
    """Bodies of events that were counted together: one by one they may count otherwise."""

    now: float
    wall: float
    bodies: list[Sent]


class Forget(msgspec.Struct, tag="forget", array_like=True):
    """A model, or one version of it, is forgotten."""

    now: float
    name: str
    version: str | None


class Refer(msgspec.Struct, tag="refer", array_like=True):
    """A reference is sent for a model or a version, or is forgotten."""

    now: float
    name: str
    version: str | None
    file: bytes | None


class First(msgspec.Struct, tag="first", array_like=True):
    """The first events of a version have become its reference."""

    now: float
    name: str
    version: str
    file: bytes


class Configure(msgspec.Struct, tag="configure", array_like=True):
    """Settings and configured references are others."""

    now: float
    settings: bytes
    references: dict[str, bytes]
    """Files by the name or the glob that is configured."""
    start: bool = False
    """Whether a process begins with them, after a time away."""


Operation = Events | Forget | Refer | First | Configure

LARGE: Final = 2**16
"""From so many bytes on a body is not copied; MessagePack gives its length in four bytes then."""
_LONG_BYTES: Final = struct.Struct(">BI")
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Operation)


def record_of(operation: Operation) -> Sequence[bytes]:
    """Return an operation as the parts of a record; large bodies are not copied into it."""
    if isinstance(operation, Events) and any(len(one.body) >= LARGE for one in operation.bodies):
        return _in_parts(operation)
    return (_ENCODER.encode(operation),)


def _in_parts(events: Events) -> Sequence[bytes]:
    """Return what the encoder makes of events, with large bodies as they are."""
    encode, count = _ENCODER.encode, len(events.bodies)
    # An array of nothing and a null are a byte each: what stands before them is the array's head.
    begin = encode(Events(events.now, events.wall, []))[:-1] + encode([None] * count)[:-count]
    parts = [begin]
    for one in events.bodies:
        if len(one.body) < LARGE:
            parts.append(encode(one))
            continue
        before = encode([one.media_type, None, None, None])[:-3]
        parts.append(before + _LONG_BYTES.pack(0xC6, len(one.body)))
        parts += [one.body, encode(one.model) + encode(one.key)]
    return parts


def operation_of(record: bytes) -> Operation:
    """Return the operation in a record; raises ``msgspec.DecodeError``."""
    operation: Operation = _DECODER.decode(record)
    return operation


def settings_bytes(settings: Settings) -> bytes:
    """Return settings as bytes."""
    return msgspec.msgpack.encode(settings, enc_hook=plain)


def settings_of(data: bytes) -> Settings:
    """Return settings from bytes; raises ``msgspec.DecodeError``."""
    return msgspec.msgpack.decode(data, type=Settings)
