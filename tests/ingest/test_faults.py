"""What is wrong is told: of an event with its place and field, of a body with its position."""

import json

import pytest

from exporter.events import (
    MAX_CLASS,
    MAX_EVENTS,
    MAX_FEATURE,
    MAX_ID,
    MAX_MODEL,
    MAX_VERSION,
)
from exporter.ingest import BodyError, TooManyEvents, decode
from tests.ingest.support import JSON, NDJSON, error, faults, read

NAN, INFINITY = float("nan"), float("inf")
GOOD = {"prediction": "yes"}
BAD = [
    ({"prediction": "yes", "model": 7}, "model"),
    ({"prediction": "yes", "model": ""}, "model"),
    ({"prediction": "yes", "model": "-m"}, "model"),
    ({"prediction": "yes", "model": "m n"}, "model"),
    ({"prediction": "yes", "model": "m\n"}, "model"),
    ({"prediction": "yes", "model": "é"}, "model"),
    ({"prediction": "yes", "model": "m" * (MAX_MODEL + 1)}, "model"),
    ({"prediction": "yes", "version": "v" * (MAX_VERSION + 1)}, "version"),
    ({"prediction": "yes", "version": 1}, "version"),
    ({"prediction": "yes", "version": ["1"]}, "version"),
    ({"prediction": "yes", "id": ""}, "id"),
    ({"prediction": "yes", "id": "i" * (MAX_ID + 1)}, "id"),
    ({"prediction": "yes", "id": 1.5}, "id"),
    ({"prediction": "yes", "id": True}, "id"),
    ({"prediction": "yes", "id": {}}, "id"),
    ({"prediction": "__other__"}, "prediction"),
    ({"prediction": "yes", "label": "__other__"}, "label"),
    ({"scores": {"a": 0.5, "__other__": 0.5}}, "scores"),
    ({"prediction": "yes", "ts": -1}, "ts"),
    ({"prediction": "yes", "ts": 1_790_000_000_000}, "ts"),
    ({"prediction": "yes", "ts": "yesterday"}, "ts"),
    ({"prediction": "yes", "ts": "2026-01-01"}, "ts"),
    ({"prediction": "yes", "ts": "2026-01-01T00:00:00"}, "ts"),
    ({"prediction": "yes", "ts": NAN}, "ts"),
    ({"prediction": "yes", "ts": INFINITY}, "ts"),
    ({"prediction": "yes", "ts": True}, "ts"),
    ({"prediction": "yes", "ts": []}, "ts"),
    ({"prediction": "yes", "ts": 10**400}, "ts"),
    ({"prediction": "yes", "task": "clustering"}, "task"),
    ({"prediction": "yes", "task": ["binary"]}, "task"),
    ({"prediction": ""}, "prediction"),
    ({"prediction": "c" * (MAX_CLASS + 1)}, "prediction"),
    ({"prediction": []}, "prediction"),
    ({"prediction": {}}, "prediction"),
    ({"prediction": NAN}, "prediction"),
    ({"prediction": INFINITY}, "prediction"),
    ({"prediction": -INFINITY}, "prediction"),
    ({"prediction": 10**400}, "prediction"),
    ({"score": 1.7}, "score"),
    ({"score": -0.1}, "score"),
    ({"score": NAN}, "score"),
    ({"score": INFINITY}, "score"),
    ({"score": "0.5"}, "score"),
    ({"score": True}, "score"),
    ({"score": [0.5]}, "score"),
    ({"score": 10**400}, "score"),
    ({"scores": {}}, "scores"),
    ({"scores": []}, "scores"),
    ({"scores": {"a": None}}, "scores.'a'"),
    ({"scores": {"a": 1.7}}, "scores.a"),
    ({"scores": {"a": NAN}}, "scores.'a'"),
    ({"scores": {"a": "x"}}, "scores.'a'"),
    ({"scores": {"": 0.5}}, "scores"),
    ({"scores": {"a" * (MAX_CLASS + 1): 0.5}}, "scores"),
    ({"scores": {str(n): 0.0 for n in range(1001)}}, "scores"),
    ({"id": "a", "label": NAN}, "label"),
    ({"id": "a", "label": {}}, "label"),
    ({"id": "a", "label": ""}, "label"),
    ({"label": "yes"}, "id"),
    ({}, "prediction"),
    ({"id": "a"}, "prediction"),
    ({"id": "a", "prediction": None, "label": None}, "prediction"),
    ({"prediction": "yes", "features": []}, "features"),
    ({"prediction": "yes", "features": {"": 1}}, "features"),
    ({"prediction": "yes", "features": {"f" * (MAX_FEATURE + 1): 1}}, "features"),
    ({"prediction": "yes", "features": {"f": []}}, "features.f"),
    ({"prediction": "yes", "features": {"f": {}}}, "features.f"),
    ({"prediction": "yes", "segments": {"region": 1}}, "segments"),
    ({"prediction": "yes", "segments": "eu"}, "segments"),
    ({"prediction": "yes", "latency_seconds": -1}, "latency_seconds"),
    ({"prediction": "yes", "latency_seconds": "fast"}, "latency_seconds"),
    ({"prediction": "yes", "latency_seconds": NAN}, "latency_seconds"),
    ({"prediction": "yes", "latency_seconds": INFINITY}, "latency_seconds"),
]


@pytest.mark.parametrize(("event", "field"), BAD, ids=lambda v: v if isinstance(v, str) else "")
def test_a_bad_field_costs_its_event_only(event, field):
    events = [GOOD, event, GOOD]
    assert faults(events) == [(1, field)]
    assert list(read(events)[0].at) == [0, 2]
    assert error(event)[1].isprintable()
    assert len(error(event)[1]) < 300
    lines = "\n".join(map(json.dumps, events)).encode()
    assert faults(lines, NDJSON) == [(1, field)]


@pytest.mark.parametrize(
    "event",
    [
        {"prediction": "yes", "features": {"f": NAN, "g": None, "h": True, "i": "x", "j": 1}},
        {"prediction": "yes", "ts": "2026-01-01T00:00:00Z"},
        {"prediction": "yes", "ts": "2026-01-01T00:00:00.25+02:00"},
        {"prediction": "yes", "ts": 0},
        {"prediction": -1e308},
        {"score": 0, "label": 1},
        {"score": 1},
        {"scores": {"a": 0, "b": 1.0}},
        {"prediction": "yes", "model": "a/b:c.d_e-f", "version": "2026.01/rc:1"},
        {"prediction": "c" * MAX_CLASS, "id": "i" * MAX_ID, "features": {"f" * MAX_FEATURE: 1}},
        {"prediction": "yes", "score": None, "label": None, "features": None, "unknown": [1]},
        {"prediction": "yes", "id": 10**30},
        {"prediction": "yes", "latency_seconds": 0},
    ],
)
def test_what_is_within_the_limits_is_taken(event):
    columns, rejected = read([event])
    assert (len(columns), rejected) == (1, [])


def test_times_are_read():
    events = [{**GOOD, "ts": ts} for ts in ("2026-01-01T00:00:00.5Z", "2026-01-01T02:00:00+02:00")]
    assert read(events)[0].ts.tolist() == [1_767_225_600.5, 1_767_225_600.0]


def test_a_model_is_required():
    columns, rejected = read([{"model": "a", **GOOD}, GOOD], model=None)
    assert list(columns.at) == [0]
    assert rejected[0].field == "model"
    assert "X-Model" in rejected[0].error


def test_the_first_fault_of_an_event_is_the_one_told():
    assert faults([{"model": 1, "score": 7, "label": []}]) == [(0, "model")]


def test_what_is_no_event():
    assert faults([GOOD, 1, None, [], "x", GOOD]) == [(i, "event") for i in (1, 2, 3, 4)]


def test_what_is_wrong_in_columns():
    body = {"columns": {"score": [0.5, "x", 1.5, None], "features": {"f": [1, 2, 3, []]}}}
    assert faults(body) == [(1, "score"), (2, "score"), (3, "features.f")]


def test_a_malformed_line_is_one_rejected_event():
    lines = [b'{"prediction": 1}', b"{", b"", b'{"prediction": "\xff"}', b"[1]", b"  ",
             b'{"prediction": 2, "score": NaN}', b"[" * 100_000, b'{"prediction": 2}',
             b'{"id": "\\ud800", "prediction": 1}']  # fmt: skip
    columns, rejected = read(b"\n".join(lines), NDJSON)
    assert columns.prediction == [1, 2]
    assert list(columns.at) == [0, 6]
    expected = [(1, "event"), (2, "event"), (3, "event"), (4, "score"), (5, "event"), (7, "event")]
    assert [(one.index, one.field) for one in rejected] == expected


def test_of_a_key_that_comes_twice_the_last_counts():
    assert read(b'{"prediction": 1, "prediction": 2}')[0].prediction == [2]


BROKEN = [
    b"", b" ", b"{", b"[", b'[{"prediction": 1}', b"nonsense", b'"text"', b"7", b"null", b"true",
    b'{"prediction": "\xff\xfe"}', b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"[{}]]",
    b'{"prediction": "\\ud800"}', b'{"prediction": "\\udc00 \\ud800"}', b'{"prediction": 01}',
    b'{"prediction": 1,}', b"{'prediction': 1}", b'\xef\xbb\xbf{"prediction": }', b"\x00",
]  # fmt: skip


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:20]))
def test_what_is_no_json_body(body):
    with pytest.raises(BodyError) as raised:
        read(body, JSON)
    assert raised.value.error
    assert json.dumps(raised.value.detail)


def test_the_position_is_told():
    with pytest.raises(BodyError) as raised:
        read(b'[{"prediction": 1},\n {"prediction": }]')
    assert raised.value.detail == {"line": 2, "column": 17, "position": 36}
    with pytest.raises(BodyError) as raised:
        read(b'{"prediction": "\xff"}')
    assert raised.value.detail == {"position": 16}


@pytest.mark.parametrize("body", [b"", b"\n", b"  \n\n"])
def test_no_lines_are_no_events(body):
    columns, rejected = read(body, NDJSON)
    assert (len(columns), rejected) == (0, [])


@pytest.mark.parametrize("body", [[], {"columns": {}}, {"columns": {"id": []}}])
def test_no_events_are_none(body):
    columns, rejected = read(body)
    assert (len(columns), rejected) == (0, [])


def test_a_whole_pair_of_surrogates_is_a_character():
    assert read(b'{"prediction": "\\ud83d\\ude00"}')[0].prediction == ["\U0001f600"]


@pytest.mark.parametrize("mark", [b"1", b"x"])
def test_a_body_holds_only_so_many_events(mark):
    """Two bytes an event would make a rejection of hundreds of bytes of each."""
    few, many = b"\n".join([mark] * 1000), b"\n".join([mark] * (MAX_EVENTS + 1))
    assert decode(NDJSON, few).size == 1000
    with pytest.raises(TooManyEvents, match=str(MAX_EVENTS)):
        decode(NDJSON, many)


def test_arrays_and_columns_hold_only_so_many_events():
    array = b"[" + b",".join([b"1"] * (MAX_EVENTS + 1)) + b"]"
    for body in (array, b'{"columns": {"score": ' + array + b"}}"):
        with pytest.raises(TooManyEvents):
            decode(JSON, body)
