"""First events are packed as they come, and unpacked as they were."""

import io
import math

import numpy as np
import pytest

from exporter.config import Settings
from exporter.ingest import decode
from exporter.ingest.columns import check
from exporter.reference.first import FirstEvents, unpacked
from exporter.reference.make import from_events, make
from tests.reference.events import binary, multiclass, ndjson, regression
from tests.reference.test_gather import as_arrow, as_columns

NDJSON = "application/x-ndjson"


def columns(body, media_type=NDJSON):
    raw = decode(media_type, body)
    raw.fields["model"] = ["m"] * len(raw.at)
    checked, rejected = check(raw)
    assert rejected == []
    return checked


def rebuilt(first):
    return from_events(unpacked(iter(first.parts)), "m", Settings()).reference


@pytest.mark.parametrize("events", [binary(), multiclass(), regression()])
def test_packed_events_make_the_same_reference(events):
    first = FirstEvents(len(events))
    for start in range(0, len(events), 37):
        assert not first.full
        first.predict(columns(ndjson(events[start : start + 37])))
    assert first.full
    assert first.bytes == sum(map(len, first.parts))
    other = make(io.BytesIO(ndjson(events)), "ndjson", "m", Settings()).reference
    one = rebuilt(first)
    assert one.schema == other.schema
    np.testing.assert_allclose(one.vector, other.vector)
    assert one.covers == other.covers


@pytest.mark.parametrize(
    ("write", "media_type"),
    [
        (as_arrow, "application/vnd.apache.arrow.stream"),
        (as_columns, "application/json"),
    ],
)
def test_events_that_came_as_columns(write, media_type):
    first = FirstEvents(400)
    first.predict(columns(write(binary()), media_type))
    other = make(io.BytesIO(ndjson(binary())), "ndjson", "m", Settings()).reference
    np.testing.assert_allclose(rebuilt(first).vector, other.vector)


def test_no_more_than_wanted_is_kept():
    first = FirstEvents(100)
    first.label([f"id-{i}" for i in range(300)], [1] * 300)
    first.predict(columns(ndjson(binary(300))))
    first.predict(columns(ndjson(binary(300))))
    first.label(["id-1"], [0])
    assert (first.rows, first.full, len(first.parts)) == (100, True, 2)
    assert rebuilt(first).rows == 100


def test_numbers_of_any_size_are_kept():
    huge = {"score": 0.5, "features": {"a": 10**30, "b": 10**400, "c": -(2**63), "d": math.pi}}
    first = FirstEvents(60)
    first.predict(columns(ndjson([huge, *binary(59)])))
    assert rebuilt(first).rows == 60


def test_a_row_without_features_is_kept():
    first = FirstEvents(2)
    first.predict(columns(ndjson([{"score": 0.5}, {"score": 0.25, "features": {"a": None}}])))
    found = rebuilt(first)
    assert found.rows == 2
