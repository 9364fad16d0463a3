"""Many rows in one body are turned into columns: they count as they do one at a time."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.ingest import decode
from exporter.ingest.columns import check
from exporter.ingest.formats import Raw
from exporter.ingest.values import short
from exporter.reference.build import build
from tests.engine.support import configured, monitor, only, samples, send

MANY = 80
NAMES = ["a", "b", "c"]
ODD = [None, math.nan, 0, 1, 2.5, -1e300, True, "x", "y", "", [1], {"k": 1}, 10**400]
PLAIN = {"a": 1.5, "b": "x", "c": 3}
MODEL = configured()


def compared():
    """A monitor whose model has a reference, so that every value of a feature is counted."""
    to = monitor(MODEL)
    send(to, {"score": 0.5, "features": PLAIN})
    values = [{"a": i / 10, "b": "xy"[i % 2], "c": i % 9} for i in range(300)]
    events = [{"model": "m", "score": 0.5, "features": one} for one in values]
    columns, _ = check(decode("application/json", json.dumps(events).encode()))
    reference, _ = build(columns, MODEL)
    only(to).adopt(reference, 0.0)
    return to


@st.composite
def rows(draw):
    """Rows that are alike, but for a few values, names and rows."""
    found = [dict(PLAIN, a=i / 7) for i in range(MANY)]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.sampled_from([0, 1, MANY - 1]))
        what = draw(st.sampled_from(["value", "gone", "more", "other", "all", "none", "order"]))
        name = draw(st.sampled_from(NAMES))
        row = found[at] if isinstance(found[at], dict) else {}
        if what == "value":
            found[at] = {**row, name: draw(st.sampled_from(ODD))}
        elif what == "gone":
            found[at] = {k: v for k, v in row.items() if k != name}
        elif what == "more":  # of the first: a feature counts from when it is known
            found[0] = {**PLAIN, "d": draw(st.sampled_from(ODD))}
        elif what == "other":  # as many names as the rest have, but not the same
            found[0] = {"d": 1, **{k: v for k, v in PLAIN.items() if k != name}}
        elif what == "all":
            value = draw(st.sampled_from(ODD))
            found = [{**row, name: value} if isinstance(row, dict) else row for row in found]
        elif what == "order":
            found[at] = dict(reversed(row.items()))
        else:
            found[at] = draw(st.sampled_from([None, {}, [], "x"]))
    return found


@settings(max_examples=60, deadline=None)
@given(rows())
def test_one_body_of_them_counts_as_each_alone(features):
    same_alone(features)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:9])
@pytest.mark.parametrize("at", [slice(0, 1), slice(1, 2), slice(None)], ids=["first", "one", "all"])
def test_an_odd_value_counts_as_alone(at, value, name):
    features = [dict(PLAIN, a=i / 7) for i in range(MANY)]
    for row in features[at]:
        row[name] = value
    same_alone(features)


def same_alone(features):
    events = [{"score": 0.5, "features": one} for one in features]
    whole, alone = compared(), compared()
    outcome = send(whole, *events)
    told = []
    for place, event in enumerate(events):
        told += [replace(one, index=place) for one in send(alone, event).rejected]
    assert outcome.rejected == told
    assert samples(whole) == samples(alone)


WHOLE = st.sampled_from([0, 1, 2**64 - 1, 1 - 2**64, 2**64, -(2**64), 10**30, 10**400, -(10**400)])
VALUE = st.one_of(WHOLE, st.sampled_from(["x", 0.5, True, None]))


def alike(events):
    """The same events in each format of JSON."""
    yield "application/json", json.dumps(events)
    yield "application/x-ndjson", "\n".join(map(json.dumps, events))
    keys = list(dict.fromkeys(key for event in events for key in event))
    table = {key: [event.get(key) for event in events] for key in keys}
    if "features" in table and all(isinstance(row, dict) for row in table["features"]):
        names = dict.fromkeys(name for row in table["features"] for name in row)
        table["features"] = {n: [row.get(n) for row in table["features"]] for n in names}
        yield "application/json", json.dumps({"model": "m", "columns": table})


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(VALUE, VALUE, st.fixed_dictionaries({"a": VALUE, "b": VALUE})),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([1, 100]),
    st.booleans(),
)
def test_no_long_integer_is_left_but_as_an_id(drawn, times, odd):
    """They would make every dictionary slow that they are put in."""
    events = [
        {"model": "m", "id": i, "score": 0.5, "prediction": p, "label": y, "features": features}
        for i, (p, y, features) in enumerate(drawn * times)
    ]
    if odd:
        events[-1] = {**events[-1], "features": {"a": 1.5}}
    for media_type, text in alike(events):
        columns, _ = check(decode(media_type, text.encode()))
        sent = [events[i] for i in columns.at]
        for name in ("prediction", "label"):
            found = getattr(columns, name)
            wanted = [short(event[name]) for event in sent]
            assert list(map(repr, found or [None] * len(sent))) == list(map(repr, wanted))
        for i, event in enumerate(sent):
            found, wanted = row_of(columns.features, i), event["features"]
            for name, value in found.items():
                assert type(value) is not int or abs(value) < 2**64
                assert value == short(wanted.get(name)) or value != value
        assert columns.id is None or columns.id == [str(event["id"]) for event in sent]


def row_of(features, i):
    if isinstance(features, dict):
        return {name: values[i] for name, values in features.items()}
    return features[i]


@pytest.mark.parametrize("size", [1, 100])
def test_an_id_may_be_a_long_integer(size):
    events = [{"model": "m", "score": 0.5, "id": 10**30 + i} for i in range(size)]
    for media_type, text in alike(events):
        columns, rejected = check(decode(media_type, text.encode()))
        assert (columns.id, rejected) == ([str(10**30 + i) for i in range(size)], [])


def test_a_long_integer_beside_a_fault_is_not_left_either():
    table = {"score": [0.5, 0.5, 0.5], "features": {"a": [10**30, 2, [1]]}}
    body = json.dumps({"model": "m", "columns": table}).encode()
    columns, (rejected,) = check(decode("application/json", body))
    assert (rejected.index, rejected.field) == (2, "features.a")
    assert list(map(repr, columns.features["a"])) == ["1e+30", "2"]


@pytest.mark.parametrize("field", ["model", "version"])
@pytest.mark.parametrize("size", [1, 100])
def test_a_name_that_is_no_text_is_not_hashed(field, size):
    class Slow(int):
        def __hash__(self):
            raise AssertionError

    fields = {"model": ["m"] * size, "score": [0.5] * size, field: [Slow(3)] + ["m"] * (size - 1)}
    columns, (rejected,) = check(Raw(range(size), fields))
    assert (rejected.index, rejected.field, len(columns)) == (0, field, size - 1)
