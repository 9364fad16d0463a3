"""Every change of the state, as it stands in the journal: doing them again leads to the same."""

from __future__ import annotations

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

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Operation)


def record_of(operation: Operation) -> bytes:
    """Return an operation as a record."""
    return _ENCODER.encode(operation)


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
