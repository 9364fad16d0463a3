"""Any bytes, and bodies that were right until something was changed."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS
from tests.ingest.support import ARROW, JSON, NDJSON
from tests.ingest.test_formats import as_arrow, as_columns, bodies
from tests.ingest.test_fuzz import COLUMNS, EVENTS
from tests.web.support import running

SEEDS = {target: sorted(files.values()) for target, files in seeds().items()}
SLOW = {"parquet", "arrow_table", "recorded_json", "recorded_ndjson", "csv", "reference_file"}


@st.composite
def changed(draw, content):
    """A right body with a few bytes changed, cut out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(content)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 9))
        kind = draw(st.sampled_from(["replace", "cut", "double", "integer"]))
        if kind == "replace":
            data[at : at + length] = draw(st.binary(max_size=9))
        elif kind == "cut":
            del data[at : at + length * 9]
        elif kind == "double":
            data[at:at] = data[at : at + length * 9]
        else:
            value = draw(st.sampled_from([-1, 0, 1, 2**31 - 1, 2**31, 2**62, -(2**63)]))
            data[at : at + 8] = value.to_bytes(8, "little", signed=True)
    return bytes(data)


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_any_bytes(target):
    @settings(max_examples=30 if target in SLOW else 80)
    @given(st.binary(max_size=200))
    def holds(data):
        TARGETS[target](data)

    holds()


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_bodies_that_were_right_once(target):
    @settings(max_examples=40 if target in SLOW else 100)
    @given(changed(SEEDS[target]))
    def holds(data):
        TARGETS[target](data)

    holds()


@st.composite
def sent(draw):
    """A body, its type, and how it is packed: right, half right, or changed."""
    kind = draw(st.sampled_from([JSON, NDJSON, ARROW, "columns", "wild", "changed"]))
    media_type = JSON
    if kind == "wild":
        body = json.dumps(draw(st.one_of(EVENTS, COLUMNS))).encode()
    elif kind == "changed":
        name, media_type = draw(
            st.sampled_from([("json", JSON), ("ndjson", NDJSON), ("arrow", ARROW)])
        )
        body = draw(changed(SEEDS[name]))
    else:
        events = draw(bodies())
        if kind == NDJSON:
            body = b"\n".join(json.dumps(event).encode() for event in events)
        elif kind == ARROW:
            body = as_arrow(events, dotted=draw(st.booleans()))
        else:
            body = json.dumps(as_columns(events) if kind == "columns" else events).encode()
        media_type = kind if kind in (NDJSON, ARROW) else JSON
    return (
        (gzip.compress(body), media_type, True)
        if draw(st.booleans())
        else (body, media_type, False)
    )


@pytest.fixture(scope="module")
def served():
    with running() as client:
        yield client


@settings(max_examples=20)
@given(st.lists(sent(), min_size=1, max_size=6))
def test_what_was_accepted_is_what_was_counted(served, requests):
    """Whatever bodies follow each other: the next scrape has risen by what the answers say.

    Predictions and labels are told apart by nothing in an answer; each accepted event is counted as
    the one or the other, or waits, or has fallen to a bound.
    """
    before, known = totals(served), 0
    accepted = duplicates = rejected = 0
    for body, media_type, zipped in requests:
        headers = {"Content-Type": media_type, "X-Model": "m"}
        headers |= {"Content-Encoding": "gzip"} if zipped else {}
        answer = served.request("POST", "/v1/events", body, headers)
        assert answer.status in (200, 400, 422), answer.body
        if answer.status == 400:
            continue
        told = answer.json()
        assert len(told["rejected"]) == min(100, told["rejected_total"])
        accepted += told["accepted"]
        duplicates += told["duplicates"]
        rejected += told["rejected_total"]
        known += told["accepted"] + told["duplicates"] + told["rejected_total"]
    risen = {name: value - before.get(name, 0) for name, value in totals(served).items()}
    assert risen["modelmeter_events_received_total"] == known
    assert risen["modelmeter_events_rejected_total"] == rejected
    assert risen.get("model_events_duplicate_total", 0) == duplicates
    assert risen.get("model_predictions_total", 0) <= accepted


def totals(served):
    found = {}
    for (name, _), value in served.metrics().items():
        if name.endswith("_total"):
            found[name] = found.get(name, 0) + value
    return found


PREDICTIONS = st.lists(
    st.fixed_dictionaries(
        {"model": st.sampled_from(["p", "q"]), "score": st.one_of(st.floats(0, 1), st.just(7))},
        optional={"version": st.sampled_from(["1", "2"]), "features": st.just({"f": 1})},
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=20)
@given(st.lists(PREDICTIONS, min_size=1, max_size=5), st.sampled_from([JSON, NDJSON, "columns"]))
def test_predictions_rise_by_exactly_what_was_accepted(served, requests, kind):
    before, accepted = totals(served).get("model_predictions_total", 0), 0
    for events in requests:
        if kind == NDJSON:
            body = b"\n".join(json.dumps(event).encode() for event in events)
        else:
            body = json.dumps(as_columns(events) if kind == "columns" else events).encode()
        media_type = NDJSON if kind == NDJSON else JSON
        answer = served.request("POST", "/v1/events", body, {"Content-Type": media_type})
        good = sum(event["score"] != 7 for event in events)
        assert (answer.status, answer.json()["accepted"]) == (200 if good else 422, good)
        accepted += good
    assert totals(served)["model_predictions_total"] == before + accepted
