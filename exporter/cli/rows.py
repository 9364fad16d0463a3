"""One recorded event, as every format of recordings gives it."""

import json
from typing import NamedTuple


class DataError(ValueError):
    """A file that cannot be read as events."""


class Row(NamedTuple):
    """One event as JSON, where it stands in its file, and why it is none when it is none."""

    place: str
    body: bytes
    error: str = ""


def dump(event: object) -> bytes:
    """Return an event as compact JSON on one line."""
    return json.dumps(event, separators=(",", ":")).encode()
