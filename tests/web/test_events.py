"""Events over HTTP: which are taken, which are rejected and why, and what their names become."""

import json

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from exporter.config import ModelSettings, Settings
from tests.web.support import running, samples

GOOD = {"model": "m", "score": 0.5}


def test_good_events_count_beside_bad_ones(served) -> None:
    name = {"model": "mixed"}
    events = (
        b'[{"model":"mixed","score":0.5},{"model":"mixed","score":NaN},'
        b'{"model":"mixed","score":"0.5"},{"model":"mixed","score":1.7},'
        b'{"model":"mixed","score":Infinity},{"model":"mixed","score":0.2,"latency_seconds":"1"},'
        b'{"model":"mixed","score":0.2,"ts":1e400},{"model":"mixed","score":[]},7,'
        b'{"model":"mixed","score":0.2,"ts":1767225600000},{"model":"mixed"},'
        b'{"model":"mixed","label":1},{"score":1},{"model":"mixed","score":0.25}]'
    )
    answer = served.post(events)
    assert answer.status == 200
    told = answer.json()
    assert (told["accepted"], told["duplicates"], told["rejected_total"]) == (2, 0, 12)
    assert [(one["index"], one["field"]) for one in told["rejected"]] == [
        (1, "score"), (2, "score"), (3, "score"), (4, "score"), (5, "latency_seconds"), (6, "ts"),
        (7, "score"), (8, "event"), (9, "ts"), (10, "prediction"), (11, "id"), (12, "model"),
    ]  # fmt: skip
    assert told["rejected"][2]["error"] == "must be between 0 and 1, got 1.7"
    assert served.value("model_predictions_total", **name, version="none") == 2
    assert served.value("modelmeter_events_rejected_total", reason="score") >= 5


def test_a_hundred_rejections_are_listed_and_all_are_counted(served) -> None:
    before = served.value("modelmeter_events_rejected_total", reason="score")
    told = served.post([GOOD, *[{"model": "m", "score": 2}] * 250]).json()
    assert (told["accepted"], len(told["rejected"]), told["rejected_total"]) == (1, 100, 250)
    assert served.value("modelmeter_events_rejected_total", reason="score") == before + 250


def test_nothing_good_is_422_and_still_says_what_was_wrong(served) -> None:
    answer = served.post([{"model": "m", "score": 2}, {"model": "-m", "score": 1}])
    told = answer.json()
    assert answer.status == 422
    assert set(told) == {
        "error", "detail", "accepted", "duplicates", "rejected", "rejected_total",
    }  # fmt: skip
    assert told["detail"] == told["rejected"]
    assert [one["field"] for one in told["rejected"]] == ["score", "model"]
    assert served.post([]).json() == {
        "accepted": 0, "duplicates": 0, "rejected": [], "rejected_total": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"model": "f", "score": 0.5}, {}),
        ([{"model": "f", "score": 0.5}], {}),
        ({"model": "f", "columns": {"score": [0.5]}}, {}),
        (b'{"model": "f", "score": 0.5}\n', {"Content_Type": "application/x-ndjson"}),
    ],
)
def test_forms_of_one_event(served, body, headers) -> None:
    assert served.post(body, **headers).json()["accepted"] == 1


def test_a_malformed_line_is_one_rejected_event(served) -> None:
    body = b'{"model":"m","score":1}\n{"model":\n\nnull\n{"model":"m","score":0}\n'
    told = served.post(body, Content_Type="application/x-ndjson").json()
    assert (told["accepted"], told["rejected_total"]) == (2, 2)
    assert [(one["index"], one["field"]) for one in told["rejected"]] == [
        (1, "event"),
        (2, "event"),
    ]


def test_the_model_may_come_from_a_header_or_from_the_configuration(served) -> None:
    assert served.post({"score": 1}, X_Model="from/header").json()["accepted"] == 1
    assert served.post({"score": 1, "model": "own"}, X_Model="from/header").status == 200
    for name, number in (("from/header", 1), ("own", 1)):
        assert served.value("model_predictions_total", model=name, version="none") == number
    told = served.post({"score": 1}, X_Model='a"b\\').json()
    assert told["rejected"][0]["field"] == "model"
    assert served.post({"score": 1}).json()["rejected"][0]["field"] == "model"
    with running(Settings(models=(ModelSettings("only"),))) as client:
        assert client.post([{"score": 1}, {"model": None, "score": 0}]).json()["accepted"] == 2
        assert client.value("model_predictions_total", model="only", version="none") == 2
    with running(Settings(models=(ModelSettings("fraud-*"),))) as client:
        assert client.post({"score": 1}).status == 422


def test_labels_join_predictions_and_repeats_are_told(served) -> None:
    name = {"model": "joined", "version": "1"}
    assert served.post({"model": "joined", "id": "a", "label": 1}).json()["accepted"] == 1
    assert served.value("model_pending_labels", model="joined", version="none") == 1
    assert served.post({**name, "id": "a", "score": 0.9}).json()["accepted"] == 1
    assert served.value("model_labels_total", **name) == 1
    for again in ({**name, "id": "a", "score": 0.1}, {**name, "id": "a", "label": 0}):
        told = served.post(again)
        assert (told.status, told.json()["duplicates"]) == (200, 1)
    assert served.value("model_confusion_total", **name, actual="1", predicted="1") == 1
    assert served.value("model_events_duplicate_total", **name) == 2


NASTY = ('quo"te', "back\\slash", "new\nline", "\\n", "ünïcödé 模型", "a,b={c}", "\u2028", " ", "#")


def test_any_text_may_be_a_class_and_is_read_back_as_it_was(served) -> None:
    events = [{"model": "nasty", "prediction": a, "label": a} for a in NASTY]
    assert served.post(events).json()["accepted"] == len(NASTY)
    plain = served.metrics()
    other = served.get("/metrics", Accept="application/openmetrics-text; version=1.0.0").body
    families = openmetrics(other.decode())
    open_ones = {
        (s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples
    }
    for found in (plain, open_ones):
        predicted = {
            dict(labels)["predicted"]: value
            for (name, labels), value in found.items()
            if name == "model_predicted_class_total" and ("model", "nasty") in labels
        }
        assert predicted == dict.fromkeys(NASTY, 1)


@pytest.mark.parametrize(
    "name", ["a\nb", 'a"b', "a\r\nSet-Cookie: x=1", "{", "é", "-a", "a" * 129, ""]
)
@pytest.mark.parametrize("field", ["model", "version"])
def test_a_name_cannot_inject_anything(served, field, name) -> None:
    answer = served.post({**GOOD, field: name})
    assert answer.status == 422
    assert answer.json()["rejected"][0]["field"] == field
    assert "set-cookie" not in answer.headers
    samples(served.get("/metrics").body.decode())


@pytest.mark.parametrize("header", ["X-Model", "Content-Type", "Content-Encoding"])
def test_a_header_of_any_bytes_is_answered(served, header) -> None:
    body = json.dumps({"score": 1}).encode()
    given = {b"content-type": b"application/json", header.lower().encode(): b"a\xff\xfe\x80;\t"}
    lines = b"".join(b"%s: %s\r\n" % pair for pair in given.items())
    head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n"
    answer = served.raw(head % len(body) + lines + b"\r\n" + body)
    assert answer.startswith((b"HTTP/1.1 415 ", b"HTTP/1.1 422 "))
