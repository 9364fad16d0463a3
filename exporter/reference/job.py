"""What is asked of the process that builds references, and what it answers.

Apart from the process itself: whoever asks must not load what building needs.
"""

from __future__ import annotations

import struct
from typing import Any, Final, Literal

import msgspec

from exporter.config import ModelSettings

LENGTH: Final = struct.Struct("<Q")
"""How long the job is that follows, and each part of a body that comes in parts."""


class Job(msgspec.Struct):
    """What is to be built."""

    settings: ModelSettings
    kind: Literal["body", "packed", "file"] = "body"
    """Of a request's body, of packed batches, or of a file that the job names."""
    form: str | None = None
    """The format of events; ``None`` is a built file."""
    model: str | None = None
    source: str = ""
    independent: bool = False
    zipped: bool = False
    limit: int = 2**62
    """Most bytes of the body, once decompressed."""
    path: str = ""


class Result(msgspec.Struct):
    """A reference as a file, or an error with the HTTP status that it deserves."""

    status: int
    data: bytes = b""
    error: str = ""
    detail: list[Any] = []
    model: str = ""
    others: int = 0
    rejected: int = 0
    listed: list[Any] = []
