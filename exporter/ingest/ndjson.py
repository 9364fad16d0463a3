"""``application/x-ndjson``: a JSON object a line. A malformed line is one rejected event."""

from __future__ import annotations

from typing import Any

import msgspec

from exporter.events import Rejection
from exporter.ingest.formats import BodyError, Raw, check_count, wire_format
from exporter.ingest.json import Event, objects, parse, rows

_EVENTS = msgspec.json.Decoder(Event)


@wire_format("application/x-ndjson", "application/ndjson", "application/jsonl")
def decode_ndjson(body: bytes) -> Raw:
    """Return the events of an NDJSON body; blank lines do not count."""
    try:
        return rows(_EVENTS.decode_lines(body))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _line_by_line(body)


def _line_by_line(body: bytes) -> Raw:
    values: list[Any] = []
    errors: list[tuple[int, str]] = []
    lines = [line for line in body.split(b"\n") if line.strip()]
    check_count(len(lines))
    for line in lines:
        try:
            values.append(parse(line))
        except BodyError as error:
            errors.append((len(values), error.error.replace("body", "line")))
            values.append({})
    raw = objects(values)
    broken = dict(errors)
    raw.rejected += [Rejection(i, "event", error) for i, error in broken.items()]
    return _without(raw, broken)


def _without(raw: Raw, broken: dict[int, str]) -> Raw:
    kept = [place for place, at in enumerate(raw.at) if at not in broken]
    raw.at = [raw.at[place] for place in kept]
    raw.fields = {name: [column[place] for place in kept] for name, column in raw.fields.items()}
    return raw
