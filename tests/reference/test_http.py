"""References over HTTP: built by a process of their own, adopted by live models."""

import gzip
import io
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from socket import create_server

import pytest
import uvicorn

from exporter import app
from exporter.config import (
    ConfigError,
    FeatureSettings,
    ModelSettings,
    ReferenceSettings,
    Settings,
    WindowSpec,
)
from exporter.events import FieldError
from exporter.reference.file import MEDIA_TYPE, load, loads
from exporter.reference.make import make
from exporter.web.application import build
from tests.reference.events import KINDS, binary, multiclass, ndjson
from tests.reference.test_gather import BODIES

MODEL = "fraud"
TYPES = {
    "ndjson": "application/x-ndjson",
    "array": "application/json",
    "columns": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow stream": "application/vnd.apache.arrow.stream",
    "arrow file": "application/vnd.apache.arrow.file",
}
NDJSON = {"Content-Type": TYPES["ndjson"]}
HOUR = (WindowSpec("1h", 3600.0),)


class Served:
    def __init__(self, port, service):
        self.port, self.service = port, service

    def ask(self, method, path, body=None, **headers):
        """Status and body of an answer, JSON where it is."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            content = answer.read()
            told = answer.getheader("content-type") == "application/json"
            return answer.status, json.loads(content) if told else content
        finally:
            connection.close()

    def put(self, body, query=f"model={MODEL}", **headers):
        return self.ask("PUT", f"/v1/reference?{query}", body, **{**NDJSON, **headers})

    def send(self, events, model=MODEL, version="1"):
        named = [{**event, "model": model, "version": version} for event in events]
        status, told = self.ask("POST", "/v1/events", ndjson(named), **NDJSON)
        assert (status, told["accepted"]) == (200, len(events)), told

    def version(self, version="1", model=MODEL):
        status, told = self.ask("GET", f"/v1/models/{model}?version={version}")
        assert status == 200, told
        return told["versions"][0]

    def until(self, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, "never came true"
            time.sleep(0.05)
        return found


@contextmanager
def serving(settings=None, read_settings=None):
    settings = replace(settings or Settings(windows=HOUR), persist=False)
    service = app.create_service(settings, read_settings)
    config = uvicorn.Config(build(service), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            served = Served(listening.getsockname()[1], service)
            served.until(lambda: server.started or not thread.is_alive())
            yield served
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def served():
    with serving() as found:
        yield found


def with_reference(**reference):
    return Settings(
        windows=HOUR, models=(ModelSettings(name=MODEL, reference=ReferenceSettings(**reference)),)
    )


@pytest.mark.parametrize("name", BODIES)
def test_every_format_is_taken(served, name):
    body = BODIES[name][1](binary())
    status, told = served.put(body, f"model=of-{name.replace(' ', '-')}", Content_Type=TYPES[name])
    assert status == 200, told
    assert (told["rejected_total"], told["serves_versions"]) == (0, 0)
    reference = told["reference"]
    assert (reference["rows"], reference["labels"], reference["task"]) == (400, 400, "binary")
    assert {name: one["kind"] for name, one in reference["features"].items()} == KINDS
    assert reference["features"]["amount"]["missing"] == 20


def test_a_reference_is_shown_and_forgotten(served):
    query = "/v1/reference?model=shown"
    assert served.ask("GET", query)[0] == 404
    status, told = served.put(
        gzip.compress(ndjson(binary())), "model=shown", Content_Encoding="gzip"
    )
    assert status == 200, told
    status, shown = served.ask("GET", query)
    assert (status, shown["reference"]) == (200, told["reference"])
    status, packed = served.ask("GET", query, Accept=MEDIA_TYPE)
    assert (status, loads(packed).rows) == (200, 400)
    status, told = served.put(packed, "model=copied", Content_Type=MEDIA_TYPE)
    assert (status, told["reference"]["rows"]) == (200, 400)
    assert served.ask("DELETE", query) == (200, {"deleted": 1})
    assert served.ask("DELETE", query)[0] == 404
    assert served.ask("GET", query)[0] == 404


@pytest.mark.parametrize(
    ("body", "headers", "query", "status", "told"),
    [
        (b"{broken", {"Content_Type": "application/json"}, "model=m", 400, "not JSON"),
        (b"nothing", {"Content_Encoding": "gzip"}, "model=m", 400, "not gzip"),
        (b"nothing", {"Content_Type": MEDIA_TYPE}, "model=m", 400, "not a reference file"),
        (b"PAR1", {"Content_Type": TYPES["parquet"]}, "model=m", 400, "not Parquet"),
        (b"{}", {"Content_Type": "text/html"}, "model=m", 415, "content type text/html"),
        (b"{}", {"Content_Encoding": "br"}, "model=m", 415, "content encoding br"),
        (b"{broken\n", {}, "model=m", 422, "a reference needs events with predictions"),
        (b"", {}, "model=m", 422, "a reference needs events with predictions"),
        (b"{}", {}, "version=1", 422, "the request is not valid"),
        (b"{}", {}, "model=-", 422, "model must be"),
        (b"x", {"Content_Length": str(2**40)}, "model=m", 413, "larger than 268435456 bytes"),
    ],
)
def test_what_makes_no_reference_is_told(served, body, headers, query, status, told):
    found, answer = served.put(body, query, **headers)
    assert (found, told in answer["error"]) == (status, True), answer
    assert served.ask("GET", "/v1/reference?model=m")[0] == 404


def test_wrong_events_are_told_with_their_place(served):
    status, told = served.put(b'{"score": 7}\n' + ndjson(binary(50)), "model=some")
    assert (status, told["rejected_total"], told["reference"]["rows"]) == (200, 1, 50)
    assert told["rejected"] == [
        {"index": 0, "field": "score", "error": "must be between 0 and 1, got 7"}
    ]


def test_a_bomb_is_not_inflated(served):
    """A body that is small and would be large ends at the limit."""
    packed = gzip.compress(bytes(300 * 2**20), 9)
    status, told = served.put(packed, "model=bomb", Content_Encoding="gzip")
    assert (status, "once decompressed" in told["error"]) == (413, True), told


def test_without_a_version_it_serves_all_that_have_none_of_their_own():
    with serving() as served:
        served.send(binary(50), version="1")
        served.send(binary(50), version="2")
        assert (
            served.put(ndjson(binary(200)), f"model={MODEL}&version=2")[1]["serves_versions"] == 1
        )
        assert served.put(ndjson(binary(300)))[1]["serves_versions"] == 1
        served.send(binary(50), version="3")
        rows = {v: served.version(v)["reference"]["rows"] for v in ("1", "2", "3")}
        assert rows == {"1": 300, "2": 200, "3": 300}
        assert served.ask("DELETE", f"/v1/reference?model={MODEL}&version=2")[0] == 200
        assert served.version("2")["reference"]["rows"] == 300
        assert served.ask("DELETE", f"/v1/reference?model={MODEL}")[0] == 200
        assert [served.version(v)["reference"] for v in ("1", "2", "3")] == [None] * 3
        status, told = served.put(ndjson(multiclass()))
        assert (status, told["detail"][0]["field"]) == (422, "task"), told
        assert served.version("1")["reference"] is None


def test_a_change_keeps_totals_and_what_has_the_same_edges():
    with serving() as served:
        served.put(ndjson(binary(400, seed=1)))
        served.send(binary(100, seed=2))
        before = served.version()["windows"]["1h"]
        others = binary(400, seed=1)
        for event in others:
            event["features"]["amount"] = (event["features"]["amount"] or 0.0) * 2
        assert served.put(ndjson(others))[0] == 200
        model = served.service.monitor.models.versions(MODEL)[0]
        now = served.service.clock.monotonic()
        window = model.counts.window(HOUR[0], now)
        assert (window.features["amount"].total, window.features["grade"].total) == (0, 100)
        assert model.counts.life(now).predictions == 100
        after = served.version()["windows"]["1h"]
        for name in ("accuracy_ratio", "roc_auc_ratio", "brier_score"):
            assert after["values"][name] == before["values"][name], name
        served.send([{**event, "id": f"later-{i}"} for i, event in enumerate(binary(10))])
        window = model.counts.window(HOUR[0], now)
        assert (window.features["amount"].total, window.features["grade"].total) == (10, 110)


def test_the_first_events_become_the_reference():
    labelled = binary(300)
    with serving(with_reference(first=200)) as served:
        served.send([{k: v for k, v in e.items() if k != "label"} for e in labelled[:100]])
        gathered = served.version()["reference"]
        assert (gathered["gathered"], gathered["wanted"]) == (100, 200)
        served.send([{"id": e["id"], "label": e["label"]} for e in labelled[:60]])
        served.send(labelled[100:300])
        served.until(lambda: "rows" in served.version()["reference"])
        reference = served.version()["reference"]
        assert (reference["rows"], reference["labels"]) == (200, 160)
        assert reference["source"] == "first 200 events"
        assert {n: one["kind"] for n, one in reference["features"].items()} == KINDS
        assert served.version()["windows"]["1h"]["predictions"] == 300
        shown = served.ask("GET", f"/v1/reference?model={MODEL}")
        assert (shown[0], shown[1]["reference"]) == (200, reference)
        status, told = served.ask("DELETE", f"/v1/reference?model={MODEL}")
        assert (status, "no reference that was sent" in told["error"]) == (404, True)
        # What is sent wins, and the first events serve again when it goes.
        served.put(ndjson(binary(50)))
        assert served.version()["reference"]["rows"] == 50
        served.ask("DELETE", f"/v1/reference?model={MODEL}")
        assert served.version()["reference"]["rows"] == 200


def test_a_configured_file_is_there_from_the_start(tmp_path):
    data = tmp_path / "events.ndjson"
    data.write_bytes(ndjson(binary(150)))
    settings = with_reference(file=str(data), independent=True)
    replaced = [settings]
    with serving(settings, lambda: replaced[0]) as served:
        served.send(binary(10))
        reference = served.version()["reference"]
        assert (reference["rows"], reference["source"]) == (150, "events.ndjson")
        assert reference["independent"]
        kept = served.service.references.get(MODEL, "1")
        assert served.ask("POST", "/-/reload")[0] == 200
        assert served.service.references.get(MODEL, "1") is kept
        status, packed = served.ask("GET", f"/v1/reference?model={MODEL}", Accept=MEDIA_TYPE)
        built = tmp_path / "built.anything"
        built.write_bytes(packed)
        assert (status, load(built).rows) == (200, 150)
        data.write_bytes(ndjson(binary(120)))
        assert served.ask("POST", "/-/reload")[0] == 200
        assert served.version()["reference"]["rows"] == 120
        replaced[0] = with_reference(file=str(tmp_path / "gone.parquet"))
        status, told = served.ask("POST", "/-/reload")
        assert (status, "gone.parquet: no such file" in told["detail"][0]) == (500, True), told
        assert served.version()["reference"]["rows"] == 120
        replaced[0] = with_reference(file=str(built))
        assert served.ask("POST", "/-/reload")[0] == 200
        assert served.version()["reference"]["rows"] == 150
        replaced[0] = Settings(windows=HOUR)
        assert served.ask("POST", "/-/reload")[0] == 200
        assert served.version()["reference"] is None
        assert served.version()["windows"]["1h"]["predictions"] == 10


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("r.mmref", b"\x89modelmeter-reference\r\n\x1a\nrest", "not a reference file"),
        ("r.what", b"{}", "its name ends in none of"),
        ("r.ndjson", b"{}\n", "prediction: a reference needs events with predictions"),
        ("r.csv", b"amount\n1\n", "no field of an event"),
    ],
)
def test_a_configured_file_that_is_bad_is_an_error_that_names_it(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        app.create_service(replace(with_reference(file=str(path)), persist=False))
    (problem,) = error.value.problems
    assert problem.key_path == f"models[{MODEL}].reference.file"
    assert told in problem.message
    assert str(path) in problem.message


def test_the_kinds_of_the_configuration_are_kept():
    grade = {"grade": FeatureSettings("numeric")}
    settings = Settings(windows=HOUR, models=(ModelSettings(name="m*", features=grade),))
    with serving(settings) as served:
        told = served.put(ndjson(binary()), "model=mine")[1]["reference"]["features"]["grade"]
        assert (told["kind"], told["because"]) == ("numeric", "configured")


def test_events_and_scrapes_do_not_wait_for_a_reference():
    """While one is being sent and built, everything else is answered."""
    body = ndjson(binary(400))
    with serving() as served:
        connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
        connection.putrequest("PUT", f"/v1/reference?model={MODEL}")
        connection.putheader("Content-Type", TYPES["ndjson"])
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:1000])
        turn = served.service.references.builder.turn
        served.until(turn.locked)
        served.send(binary(20))
        status, text = served.ask("GET", "/metrics")
        assert status == 200
        assert b'model_predictions_total{model="fraud",version="1"} 20' in text
        status, told = served.put(ndjson(binary(20)), "model=other")
        assert (status, told["error"]) == (503, "a reference is being built")
        connection.send(body[1000:])
        assert connection.getresponse().status == 200
        connection.close()
        assert served.version()["reference"]["rows"] == 400


def test_who_goes_away_leaves_nothing_behind():
    with serving() as served:
        connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
        connection.putrequest("PUT", f"/v1/reference?model={MODEL}")
        connection.putheader("Content-Type", TYPES["ndjson"])
        connection.putheader("Content-Length", "100000")
        connection.endheaders(b"{}")
        turn = served.service.references.builder.turn
        served.until(turn.locked)
        connection.close()
        served.until(lambda: not turn.locked())
        assert served.put(ndjson(binary(50)))[0] == 200


def test_there_are_at_most_max_models_references():
    reference = make(io.BytesIO(ndjson(binary(50))), "ndjson", None, Settings()).reference
    store = app.create_service(Settings(max_models=2, persist=False)).references
    for name in ("a", "b", "a"):
        store.put(name, None, reference)
    with pytest.raises(FieldError, match="already 2 references"):
        store.put("c", None, reference)
    assert store.delete("a", None)
    store.put("c", None, reference)


def test_it_is_told_in_openapi(served):
    paths = served.ask("GET", "/openapi.json")[1]["paths"]["/v1/reference"]
    assert set(paths) == {"put", "get", "delete"}
    assert MEDIA_TYPE in paths["put"]["requestBody"]["content"]
    assert {p["name"] for p in paths["put"]["parameters"]} == {
        "model", "version", "Content-Encoding",
    }  # fmt: skip
    assert {"400", "408", "413", "415", "422", "503"} <= set(paths["put"]["responses"])
