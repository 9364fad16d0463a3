"""State as bytes: MessagePack, with arrays, absent values and integers of any size.

Nothing that is unpacked is ever executed.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.rows import ABSENT

_ARRAY: Final = 1
_ABSENT: Final = 2
_WIDE: Final = 3
_HEAD: Final = struct.Struct("<cBB")
_LENGTHS: Final = {1: "<Q", 2: "<QQ", 3: "<QQQ"}
_KINDS: Final = "fiub"
"""Kinds of arrays that are packed: floats, integers and truth values."""


def packed(value: Any) -> bytes:
    """Return ``value`` as bytes: plain objects, arrays, ``ABSENT``."""
    try:
        return msgspec.msgpack.encode(value, enc_hook=_extension)
    except OverflowError:
        return msgspec.msgpack.encode(_wide(value), enc_hook=_extension)


def unpacked(data: bytes | memoryview) -> Any:
    """Return what was packed; tuples come back as lists. Raises ``msgspec.DecodeError``."""
    return msgspec.msgpack.decode(data, ext_hook=_value)


def plain(value: Any) -> Any:
    """Return settings' mappings, which nobody may change, as dictionaries: a hook of msgspec's."""
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be packed")


def _wide(value: Any) -> Any:
    """Return a value whose integers all fit: MessagePack's have 64 bits."""
    if isinstance(value, dict):
        return {key: _wide(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_wide(part) for part in value]
    if type(value) is int and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(_WIDE, hex(value).encode())
    return value


def _extension(value: Any) -> Any:
    if value is ABSENT:
        return msgspec.msgpack.Ext(_ABSENT, b"")
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
        return msgspec.msgpack.Ext(_ARRAY, _array_bytes(value))
    raise NotImplementedError(f"{type(value).__name__} cannot be packed")


def _array_bytes(array: NDArray[Any]) -> bytes:
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    head = _HEAD.pack(plain.dtype.kind.encode(), plain.dtype.itemsize, array.ndim)
    return head + struct.pack(_LENGTHS[array.ndim], *array.shape) + plain.tobytes()


def _value(code: int, data: memoryview) -> Any:
    if code == _ABSENT:
        return ABSENT
    if code == _WIDE:
        return int(bytes(data), 16)
    kind, size, dimensions = _HEAD.unpack_from(data)
    lengths = _LENGTHS[dimensions]
    shape = struct.unpack_from(lengths, data, _HEAD.size)
    start = _HEAD.size + struct.calcsize(lengths)
    # Copied: what is read from bytes cannot be written to.
    dtype = np.dtype(f"<{kind.decode()}{size}")
    return np.frombuffer(data, dtype, offset=start).reshape(shape).copy()
