"""Bodies through a wire format and its checks."""

import json

from exporter.ingest import decode
from exporter.ingest.columns import check

JSON = "application/json"
NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"


def raw(body, media_type=JSON, model="m"):
    """The events of a body, unchecked; ``model`` is that of the events that name none."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = decode(media_type, body)
    named = found.fields.get("model", [None] * len(found.at))
    found.fields["model"] = [model if name is None else name for name in named]
    return found


def read(body, media_type=JSON, model="m"):
    """The good events of a body, and why the others are not."""
    return check(raw(body, media_type, model))


def faults(body, media_type=JSON):
    """Index and field of every rejected event."""
    return [(one.index, one.field) for one in read(body, media_type)[1]]


def error(event):
    """Why the one event of a body is rejected."""
    columns, rejected = read(event)
    assert len(columns) == 0
    return rejected[0].field, rejected[0].error
