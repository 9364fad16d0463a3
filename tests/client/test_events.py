"""What is sent for what is logged: laws over any values, and the types that models hand over."""

import json
import math
import time
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.client import Client, _class_name, _line
from exporter.events import class_name
from tests.client.support import adds_up, scripted
from tests.web.support import free_port

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | TEXTS


@pytest.fixture
def client():
    """Nobody listens, and nothing is waited for at the end."""
    with Client(f"http://127.0.0.1:{free_port()}", exit_seconds=0.01) as made:
        yield made


@pytest.fixture(scope="module")
def dead():
    with Client(f"http://127.0.0.1:{free_port()}", exit_seconds=0.01, max_events=50) as made:
        yield made


def same(sent, given):
    """Whether JSON brought a feature as it was; NaN is sent as missing."""
    if isinstance(given, float) and math.isnan(given):
        return sent is None
    return sent == given and type(sent) is type(given)


@given(st.dictionaries(TEXTS, PLAIN), st.none() | TEXTS)
def test_features_come_as_they_were(features, name):
    line = _line({"model": "m", "id": name, "features": features})
    assert b"\n" not in line
    sent = json.loads(line)
    assert sent["id"] == name
    assert sent["features"].keys() == features.keys()
    assert all(same(sent["features"][key], value) for key, value in features.items())


@given(st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS)
def test_classes_are_named_as_modelmeter_names_them(value):
    assert _class_name(value) == class_name(value)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.longdouble(0.5), 0.5),
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array(2.5), 2.5),
        (np.array([2.5]), 2.5),
        (np.array([1, 2]), [1, 2]),
        (np.float32("nan"), None),
        (np.array([np.nan]), None),
        (math.nan, None),
        (math.inf, math.inf),
        (Decimal("1.5"), 1.5),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        pytest.param(type("NAType", (), {})(), None, id="NAType"),
    ],
    ids=repr,
)
def test_values_of_other_types_by_what_they_can_do(value, sent):
    found = json.loads(_line({"features": {"x": value, "y": 1}}))["features"]
    assert found == {"x": sent, "y": 1}
    assert type(found["x"]) is type(sent)


def test_classes_and_names_of_numpy_and_tables_that_are_no_dictionaries():
    classes, scores = np.array([False, True]), np.array([0.25, 0.75], np.float32)
    assert json.loads(_line({"scores": dict(zip(classes, scores, strict=True))})) == {
        "scores": {"0": 0.25, "1": 0.75}
    }
    assert json.loads(_line({"features": {np.int64(1): np.nan}})) == {"features": {"1": None}}
    assert json.loads(_line({"features": [("a", 1)]})) == {"features": {"a": 1}}


def test_an_event_is_as_it_was_when_it_was_logged():
    with scripted() as server, Client(server.url, model="m", version="2") as client:
        features = {"a": 1}
        before = time.time()
        client.log(id="x", score=0.5, features=features)
        after = time.time()
        features["a"] = 2
        client.log("other", version="3", prediction=True, label=False, ts=12.5, latency_seconds=2)
        client.label(id=7, label=1, ts=datetime(2026, 1, 1, tzinfo=UTC))
        client.label("other", "y", "cat", version="3", ts="2026-01-01T00:00:00Z")
        assert client.flush()
    first, second, third, fourth = server.events()
    assert before <= first.pop("ts") <= after
    assert first == {"model": "m", "version": "2", "id": "x", "score": 0.5, "features": {"a": 1}}
    assert second == {"model": "other", "version": "3", "prediction": True, "label": False,
                      "ts": 12.5, "latency_seconds": 2}  # fmt: skip
    assert third == {"model": "m", "id": 7, "label": 1, "ts": 1767225600.0}
    assert fourth == {"model": "other", "version": "3", "id": "y", "label": "cat",
                      "ts": "2026-01-01T00:00:00Z"}  # fmt: skip


def evil():
    """What fails at everything that may be asked of it."""

    def fail(*_):
        raise ValueError("evil")

    names = "__str__ __repr__ __iter__ __len__ __float__ __bool__ __hash__ __getattr__ __eq__"
    names += " keys timestamp item tolist"
    return type("Evil", (), dict.fromkeys(names.split(), fail))()


class Unspeakable(Exception):
    def __str__(self):
        raise self


class Raising:
    def item(self):
        raise Unspeakable

    __float__ = tolist = item


def deep():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


def knot():
    value = {}
    value["x"] = value
    return value


EVIL = {
    "evil": evil, "raising": Raising, "deep": deep, "knot": knot, "object": object,
    "surrogate": lambda: "\ud800", "complex": lambda: 1j, "bytes": lambda: b"x",
    "long": lambda: 10**5000, "set": lambda: {1, 2}, "class": lambda: Raising,
    "function": lambda: evil, "error": Unspeakable, "name": lambda: {"\ud800": 1},
    "key": lambda: {(1, 2): 3}, "inner": lambda: [{"a": Raising()}],
}  # fmt: skip
WILD = st.recursive(
    PLAIN
    | st.sampled_from(list(EVIL.values())).map(lambda make: make())
    | st.binary()
    | st.complex_numbers()
    | st.datetimes(),
    lambda one: st.lists(one) | st.dictionaries(TEXTS | st.integers(), one) | st.tuples(one, one),
    max_leaves=5,
)
NAMES = st.sampled_from(
    "self model version id score scores prediction label features segments task ts "
    "latency_seconds other".split()
)


@given(st.sampled_from(["log", "label"]), st.lists(WILD), st.dictionaries(NAMES, WILD))
def test_no_argument_makes_it_raise_and_every_call_is_counted(dead, call, arguments, named):
    before = dead.counts()
    assert getattr(dead, call)(*arguments, **named) is None
    after = dead.counts()
    assert after.logged == before.logged + 1
    assert adds_up(after)


@pytest.mark.parametrize("what", EVIL)
def test_what_cannot_be_written_is_invalid(client, what):
    client.log("m", score=0.5, features={"a": EVIL[what]()})
    assert client.counts().dropped == {"invalid": 1}


@pytest.mark.parametrize(
    "options",
    [
        {"url": "localhost:9920"}, {"url": "ftp://x"}, {"url": "http://u:p@x"}, {"url": ""},
        {"url": "http://x/ü"}, {"url": "http://x:port"}, {"batch_events": 0},
        {"batch_events": 1.5}, {"max_bytes": -1}, {"retry_seconds": 541}, {"flush_seconds": "1"},
        {"exit_seconds": math.nan}, {"gzip_bytes": 0.5}, {"token": "a b"}, {"token": ""},
        {"token": "a", "user": "b:c"}, {"user": "nobody"},
    ],
    ids=repr,
)  # fmt: skip
def test_options_that_cannot_work_are_told_at_once(options):
    with pytest.raises(ValueError, match=r".") as told:
        Client(**{"url": "http://localhost:9920", **options})
    assert "a b" not in str(told.value)
