"""The model server as a process of its own, through real HTTP."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from exporter.demo import dataset, model, ports
from exporter.demo.connection import Connection
from tests.demo.support import Events, events_server, wait_until

HOUR = dataset.split(dataset.load())[1][17]


@pytest.fixture(scope="module")
def events() -> Iterator[Events]:
    with events_server() as events:
        yield events


@pytest.fixture(scope="module")
def server(events: Events) -> Iterator[Connection]:
    port = ports.pick({"server": None})["server"]
    command = [sys.executable, "-m", "exporter.demo.model_server", "--port", str(port)]
    with subprocess.Popen([*command, "--events-url", events.url]) as process:
        connection = Connection(port)
        wait_until(lambda: connection.get("/healthz") is not None)
        yield connection
        connection.close()
        process.terminate()
        assert process.wait(10) in (0, -15)


def test_it_is_healthy(server):
    answer = server.get("/healthz")
    assert answer.status == 200
    assert json.loads(answer.body) == {"status": "ok", "model": "bike-demand", "version": "1"}


def test_it_predicts_as_the_model_does(server):
    answer = server.post("/predict", {"features": HOUR.features()})
    assert answer.status == 200
    body = json.loads(answer.body)
    training, _ = dataset.split(dataset.load())
    prediction, score = model.train(training).predict(HOUR.features())
    assert body["prediction"] == prediction
    assert body["score"] == pytest.approx(score)


def test_it_reports_each_prediction_to_modelmeter(server, events):
    answer = json.loads(server.post("/predict", {"features": HOUR.features()}).body)
    wait_until(lambda: any(event["id"] == answer["id"] for event in events.all))
    event = next(event for event in events.all if event["id"] == answer["id"])
    assert event.pop("latency_seconds") >= 0
    assert event.pop("ts") > 1.6e9
    assert event == {
        "model": "bike-demand",
        "version": "1",
        **answer,
        "features": HOUR.features(),
    }


def test_ids_are_never_repeated(server):
    answers = [server.post("/predict", {"features": HOUR.features()}) for _ in range(20)]
    assert len({json.loads(answer.body)["id"] for answer in answers}) == 20


@pytest.mark.parametrize("broken", [{"hour": 24}, {"weather": "hail"}, {"wind_kmh": "strong"}])
def test_what_is_no_hour_is_refused(server, broken):
    assert server.post("/predict", {"features": {**HOUR.features(), **broken}}).status == 422


def test_it_answers_when_modelmeter_is_away():
    port = ports.pick({"server": None})["server"]
    command = [sys.executable, "-m", "exporter.demo.model_server", "--port", str(port)]
    nobody = "http://127.0.0.1:9/v1/events"
    with subprocess.Popen([*command, "--events-url", nobody], stderr=subprocess.DEVNULL) as process:
        connection = Connection(port)
        wait_until(lambda: connection.get("/healthz") is not None)
        answers = [connection.post("/predict", {"features": HOUR.features()}) for _ in range(50)]
        assert {answer.status for answer in answers} == {200}
        connection.close()
        process.terminate()


def test_the_client_as_a_program_of_its_own_asks_and_tells_the_truth_later(server, events):
    before = len(events.all)
    command = [sys.executable, "-m", "exporter.demo.traffic", "--events-url", events.url]
    with subprocess.Popen([*command, "--model-url", f"http://127.0.0.1:{server.port}"]) as process:
        wait_until(lambda: any("label" in event for event in events.all[before:]))
        process.terminate()
        assert process.wait(10) == 0
    label = next(event for event in events.all if "label" in event)
    assert label["label"] in dataset.CLASSES
    assert label["id"] in {event["id"] for event in events.all if "prediction" in event}
