"""The wire formats there are, and what each makes of a body."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from exporter.events import MAX_EVENTS, Rejection


class BodyError(ValueError):
    """The body is not what its content type says; ``detail`` tells the position."""

    def __init__(self, error: str, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.detail = dict(detail or {})


class TooManyEvents(BodyError):
    """The body holds more events than one body may."""


def check_count(events: int) -> int:
    """Return ``events``; raises :class:`TooManyEvents` if they are too many for one body."""
    if events > MAX_EVENTS:
        raise TooManyEvents(f"body holds {events} events, at most {MAX_EVENTS} are allowed")
    return events


class Unavailable(Exception):
    """The format needs a package that is not installed."""


@dataclass
class Raw:
    """Events as a format found them: columns of anything, unchecked.

    ``at`` are the events' places in the body. A column is ``None`` where no event has the field,
    an event without the field has ``None`` in it. ``features`` is a list of objects (one an event)
    or an object of columns.
    """

    at: Sequence[int]
    fields: dict[str, Any] = field(default_factory=dict)
    rejected: list[Rejection] = field(default_factory=list)
    """What could not be read as an event at all."""

    @property
    def size(self) -> int:
        """How many events the body held."""
        return len(self.at) + len(self.rejected)

    @property
    def by_row(self) -> bool:
        """Whether the columns are plain lists, so that bodies can be put together.

        Arrays are not: a null is NaN in them, which among rows is a number that was sent.
        """
        return all(isinstance(column, list) for column in self.fields.values())


def together(raws: Sequence[Raw]) -> Raw:
    """Return the events of several bodies (all ``by_row``) as if they had come in one."""
    if len(raws) == 1:
        return raws[0]
    whole = Raw([])
    at: list[int] = []
    offset = 0
    for raw in raws:
        at.extend([offset + i for i in raw.at])
        whole.rejected += [Rejection(offset + r.index, r.field, r.error) for r in raw.rejected]
        offset += raw.size
    whole.at = at
    for name in dict.fromkeys(name for raw in raws for name in raw.fields):
        column: list[Any] = []
        for raw in raws:
            found = raw.fields.get(name)
            column.extend([None] * len(raw.at) if found is None else found)
        whole.fields[name] = column
    return whole


Decoder = Callable[[bytes], Raw]
FORMATS: Final[dict[str, Decoder]] = {}


def wire_format(*media_types: str) -> Callable[[Decoder], Decoder]:
    """Register a decoder under its media types."""

    def register(decoder: Decoder) -> Decoder:
        FORMATS.update(dict.fromkeys(media_types, decoder))
        return decoder

    return register


def decode(media_type: str, body: bytes) -> Raw:
    """Return the events of ``body``; raises ``KeyError`` for a type that is not known."""
    return FORMATS[media_type](body)
