"""What ``GET /v1/models/{model}`` tells of the environment, and reloading, over real HTTP."""

import subprocess
import sys
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from exporter.config import ModelServerSettings, Settings, WindowSpec
from tests.web.support import running, until

BUSY = "import sys; print('ready', flush=True)\nwhile True: sum(range(1000))"
SETTINGS = Settings(windows=(WindowSpec("1m", 60.0), WindowSpec("5m", 300.0)), sample_interval=0.1)


@pytest.fixture
def server():
    process = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def told(client) -> dict:
    return client.get("/v1/models/m").json()["environment"]


def events(client) -> None:
    event = {"model": "m", "version": "2", "score": 0.5, "latency_seconds": 0.25}
    assert client.post([event] * 20).status == 200


def schema(client) -> dict:
    path = client.get("/openapi.json").json()["paths"]["/v1/models/{model}"]
    return path["get"]["responses"]["200"]["content"]["application/json"]["schema"]


def test_a_model_is_shown_with_its_server_and_latency(server) -> None:
    several = {"one": ModelServerSettings(pid=server.pid), "two": ModelServerSettings(pid=2**22)}
    with running(replace(SETTINGS, model_servers=several)) as client:
        events(client)

        def both() -> dict | None:
            one, _ = (found := told(client))["servers"]
            used = one["windows"].get("1m", {}).get("cpu_usage_cores")
            busy = used and used["1.0"] > 0
            return found if busy and found["latency_quantile_seconds"]["2"] else None

        shown = until(both, "both latency and use")
        one, two = shown["servers"]
        assert (one["server"], one["up"]) == ("one", True)
        assert (two["server"], two["up"]) == ("two", False)
        assert 0 < one["windows"]["1m"]["cpu_usage_cores"]["1.0"] <= 2
        assert one["windows"]["5m"]["memory_usage_bytes"]["0.5"] > 2**20
        latency = shown["latency_quantile_seconds"]["2"]["1m"]
        assert latency["0.99"] == pytest.approx(0.25, rel=0.02)
        Draft202012Validator(schema(client)).validate(client.get("/v1/models/m").json())
        server.kill()
        server.wait()
        until(lambda: told(client)["servers"][0]["up"] is False, "its end")
        assert client.value("model_server_up", server="one") == 0
        assert client.value("model_server_up") is None


def test_without_a_server_there_is_nothing_around(served_alone) -> None:
    events(served_alone)
    until(lambda: told(served_alone)["latency_quantile_seconds"]["2"], "the events")
    shown = told(served_alone)
    assert (shown["servers"], shown["findings"]) == ([], [])
    Draft202012Validator(schema(served_alone)).validate(served_alone.get("/v1/models/m").json())


@pytest.fixture
def served_alone():
    with running(SETTINGS) as client:
        yield client


def test_a_reload_brings_other_windows(server) -> None:
    target = ModelServerSettings(pid=server.pid)
    settings = replace(SETTINGS, model_server=target)
    other = replace(settings, windows=(WindowSpec("2m", 120.0),))
    with running(settings, read_settings=lambda: other) as client:
        name = "model_server_memory_usage_bytes"
        until(lambda: client.value(name, window="5m", quantile="1.0"), "a sample")
        assert client.request("POST", "/-/reload").status == 200
        until(lambda: client.value(name, window="2m", quantile="1.0"), "a sample")
        assert client.value(name, window="5m", quantile="1.0") is None
        assert client.value("model_server_up") == 1
