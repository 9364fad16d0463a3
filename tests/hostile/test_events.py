"""Bodies of events that are meant to take memory or time: answered soon, within memory, alive."""

import json
import struct

import pyarrow as pa
import pytest

from tests.hostile.support import ARROW, JSON, MIB, NDJSON
from tests.web.test_bodies import GOOD, arrow

COLLIDING = [i * (2**61 - 1) for i in range(1, 100_000)]
"""All of them have the hash 0 in Python, and would make a dictionary of them quadratic."""
DEEP = b"[" * 100_000 + b"]" * 100_000


def event(field: bytes) -> bytes:
    return b'[{"model":"m",' + field + b"}]"


def columns(**named) -> bytes:
    return json.dumps({"model": "m", "columns": named}).encode()


def claims(size: int) -> bytes:
    """An Arrow stream whose buffers say that they are of ``size`` bytes."""
    body = arrow({"model": ["m"] * 1000, "score": [0.5] * 1000})
    length = struct.pack("<q", 8000)
    assert body.count(length) == 1
    return body.replace(length, struct.pack("<q", size))


def rows(count: int) -> bytes:
    """An Arrow stream that says that it holds so many events."""
    body = arrow({"score": [0.5] * 777})
    return body.replace(struct.pack("<q", 777), struct.pack("<q", count))


TWICE = pa.Table.from_arrays([pa.array([0.5])] * 2, names=["score", "score"])
NULLS = pa.nulls(100_000)
HARMFUL = {
    "deep": (DEEP, JSON, 400),
    "deep objects": (b'{"a":' * 100_000, JSON, 400),
    "deep in a field": (event(b'"score":' + DEEP), JSON, 400),
    "deep in no field": (event(b'"score":1,"other":' + DEEP), JSON, 400),
    "deep in a line": (event(b'"score":' + DEEP)[1:-1] + b"\n", NDJSON, 422),
    "a long integer": (event(b'"prediction":' + b"9" * 400_000), JSON, 422),
    "a long fraction": (event(b'"score":7.' + b"9" * 4_000_000), JSON, 422),
    "a giant exponent": (event(b'"prediction":1e' + b"9" * 400_000), JSON, 422),
    "not a number": (event(b'"prediction":NaN'), JSON, 422),
    "infinite": (event(b'"prediction":-Infinity'), JSON, 422),
    "a long name": (event(b'"score":1,"features":{"' + b"x" * 4_000_000 + b'":1}'), JSON, 422),
    "a long class": (event(b'"prediction":"' + b"x" * 4_000_000 + b'"'), JSON, 422),
    "a key 200 000 times": (event(b",".join([b'"score":7'] * 200_000)), JSON, 422),
    "bad UTF-8": (event(b'"prediction":"\xed\xa0\x80"'), JSON, 400),
    "half a pair": (event(b'"features":{"\\ud800":1}'), JSON, 400),
    "200 000 columns": (columns(score=[7], **{f"x{i}": [1] for i in range(200_000)}), JSON, 422),
    "200 000 classes": (columns(scores={f"x{i}": [1] for i in range(200_000)}), JSON, 422),
    "colliding models": (columns(model=COLLIDING, score=[1] * len(COLLIDING)), JSON, 422),
    "half a million lines": (b"1\n" * 500_000, NDJSON, 422),
    "more lines than may be": (b"1\n" * 600_000, NDJSON, 413),
    "huge buffers": (claims(2**60), ARROW, 400),
    "negative buffers": (claims(-8), ARROW, 400),
    "negative events": (rows(-(2**60)), ARROW, 400),
    "many events": (rows(2**24), ARROW, 400),
    "columns of nulls": (arrow({f"features.f{i}": NULLS for i in range(80)}), ARROW, 400),
    "columns of one name": (arrow(TWICE), ARROW, 400),
}  # fmt: skip


@pytest.mark.parametrize("harm", HARMFUL)
def test_it_is_refused_soon_and_within_memory(server, harm):
    body, headers, status = HARMFUL[harm]
    answer = server.send(body, headers, seconds=30)
    assert answer.status == status, answer.body[:500]
    assert {"error", "detail"} <= set(answer.json())
    assert len(answer.body) < 100_000
    assert server.most_memory() < 500 * MIB
    assert server.get("/-/healthy").status == 200


@pytest.mark.parametrize(
    "body",
    [
        columns(prediction=["a", *COLLIDING]),
        columns(label=COLLIDING, prediction=["a"] * len(COLLIDING)),
        columns(prediction=["a"] * 100_000, features={"f": ["x", *COLLIDING]}),
        columns(prediction=["a"], features={f"f{i}": [1] for i in range(200_000)}),
        event(b'"prediction":"a","features":{"f":"' + b"x" * 4_000_000 + b'"}'),
    ],
    ids=["classes", "labels", "features", "many features", "a long feature"],
)
def test_what_is_taken_is_taken_soon_and_within_memory(server, body):
    answer = server.send(body, JSON, seconds=30)
    assert answer.status == 200, answer.body[:500]
    assert answer.json()["accepted"] > 0
    assert server.most_memory() < 500 * MIB
    assert server.get("/metrics").status == 200


@pytest.mark.parametrize("field", ["score", "features", "segments", "scores", "other"])
def test_no_depth_is_one_too_many(server, field):
    """Near the depth that a decoder still takes, something else may find it too deep."""
    found = set()
    for depth in (10, 100, *range(960, 1010)):
        body = event(b'"prediction":"a","%s":' % field.encode() + b"[" * depth + b"]" * depth)
        found.add(server.send(body, JSON, seconds=5).status)
        found.add(server.send(body[1:-1], NDJSON, seconds=5).status)
    assert found <= {200, 400, 422}


def test_what_came_after_is_counted(server):
    before = server.value("model_predictions_total", model="after", version="none") or 0
    assert server.send(GOOD.replace(b'"m"', b'"after"'), JSON, seconds=5).status == 200
    assert server.value("model_predictions_total", model="after", version="none") == before + 1
    assert "Traceback" not in server.log()
