"""Nothing that can be sent breaks anything, and every event is accounted for."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.ingest import BodyError
from exporter.ingest.json import FIELDS
from exporter.intake import Moment
from tests.engine.support import monitor, samples
from tests.ingest.support import ARROW, JSON, NDJSON, read

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**310), 10**310),
    st.floats(),
    st.sampled_from(["", "m", "v1", "binary", "a", "yes", "1", "2026-01-01T00:00:00Z"]),
    st.text(max_size=5),
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)
LIKELY = {
    "model": st.sampled_from(["m", "n"]),
    "version": st.sampled_from(["v1", "v2"]),
    "id": st.sampled_from(["a", "b", 1, 2]),
    "prediction": st.sampled_from(["yes", "no", "maybe", 1, 0, 2.5, True]),
    "label": st.sampled_from(["yes", "no", "maybe", 1, 0, 2.5, True]),
    "score": st.floats(0, 1),
    "scores": st.dictionaries(st.sampled_from(["yes", "no", "maybe"]), st.floats(0, 1), min_size=1),
    "features": st.dictionaries(st.sampled_from("fgh"), LEAVES, max_size=3),
    "task": st.sampled_from(["binary", "multiclass", "regression"]),
}
KEYS = {name: st.one_of(LIKELY.get(name, LEAVES), ANYTHING) for name in (*FIELDS, "columns")}
WILD = st.fixed_dictionaries({}, optional=KEYS)
TAME = st.fixed_dictionaries({"model": LIKELY.pop("model")}, optional=LIKELY)
EVENTS = st.lists(st.one_of(WILD, TAME, TAME, ANYTHING), max_size=8)
COLUMNS = st.fixed_dictionaries(
    {"columns": st.fixed_dictionaries({}, optional={
        name: st.one_of(st.lists(KEYS[name], min_size=2, max_size=2), ANYTHING) for name in FIELDS
    })}
)  # fmt: skip


def count(fed, body, media_type=JSON, now=0.0):
    """Take a body; return how many events it held, and the outcome."""
    columns, rejected = read(body, media_type)
    outcome = fed.ingest(columns, rejected, Moment(now, 1.79e9 + now))
    size = len(columns) + len(rejected)
    assert outcome.accepted + len(outcome.duplicates) + len(outcome.rejected) == size
    assert outcome.rejected == sorted(outcome.rejected)
    assert len({rejection.index for rejection in outcome.rejected}) == len(outcome.rejected)
    json.dumps([vars_of(rejection) for rejection in outcome.rejected], ensure_ascii=False).encode()
    return size


def vars_of(rejection):
    return [rejection.index, rejection.field, rejection.error]


def shown(fed):
    """What is shown of it all; no value may be missing or infinite."""
    fed.tick(100.0)
    found = samples(fed, 100.0)
    for (name, labels), value in found.items():
        assert value == value, (name, labels)
        assert abs(value) != float("inf"), (name, labels)
    return found


@settings(max_examples=300)
@given(st.lists(EVENTS, max_size=4))
@example([[{"model": "m", "prediction": 1e308, "label": -1e308}] * 3])
def test_any_json_is_counted_or_rejected(bodies):
    fed = monitor()
    for events in bodies:
        assert count(fed, json.dumps(events, default=str).encode()) == len(events)
    assert fed.models.received == sum(map(len, bodies))
    shown(fed)


@settings(max_examples=150)
@given(st.lists(EVENTS, max_size=3))
def test_any_lines_are_counted_or_rejected(bodies):
    fed = monitor()
    for events in bodies:
        lines = b"\n".join(json.dumps(event).encode() for event in events)
        assert count(fed, lines, NDJSON) == len(events)
    shown(fed)


@settings(max_examples=150)
@given(COLUMNS)
def test_any_columns_are_counted_or_refused(body):
    fed = monitor()
    try:
        count(fed, json.dumps(body).encode())
    except BodyError:
        assert fed.models.received == 0
    shown(fed)


@settings(max_examples=100)
@pytest.mark.parametrize("media_type", [JSON, NDJSON, ARROW])
@given(st.binary(max_size=60))
@example(b'{"prediction":1e400}')
@example(b'{"prediction":' + b"9" * 5000 + b"}")
@example(b'[{"id":' + b"9" * 5000 + b',"prediction":"yes"},{"prediction":"yes","label":1e999}]')
@example(b'[{"id":' + b"9" * 299 + b',"prediction":"yes"},{"score":1,"label":' + b"9" * 299 + b"}]")
def test_any_bytes_are_refused_or_counted(media_type, body):
    fed = monitor()
    try:
        count(fed, body, media_type)
    except BodyError as error:
        json.dumps(error.detail)
