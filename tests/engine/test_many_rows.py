"""Many rows in one body are turned into columns: they count as they do one at a time."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.ingest import decode
from exporter.ingest.columns import check
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


DIGITS = "1" * 20
LONG = [
    '{"score":%s}',
    '{"label": %s}',
    '[{"prediction":\n-%s}]',
    '{"features":{"a":\t%s}}',
    '{"columns":{"score":[1,%s]}}',
    '{"columns":{"score":[%s]}}',
    '{"score":%s ,"id":"a"}',
    '{"score":%s\n}',
    '{"score":%s\r\n,"id":"a"}',
    '{"score":%s\t}',
]


@pytest.mark.parametrize("text", LONG)
def test_a_long_integer_is_seen_wherever_a_number_may_stand(text):
    assert decode("application/json", (text % DIGITS).encode()).long_integers


def test_fractions_and_ids_are_no_long_integers():
    text = f'[{{"id":"{DIGITS}","score":0.{DIGITS},"features":{{"a":1e-05,"b":0.{"0" * 30}1}}}}]'
    assert not decode("application/json", text.encode()).long_integers
