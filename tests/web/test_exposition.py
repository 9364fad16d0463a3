"""``/metrics`` over HTTP: formats, encodings, promtool, and what arrives meanwhile."""

import gzip
import json
import os
import subprocess
import threading

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from tests.programs import program
from tests.web.support import JSON, samples, until

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.75,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=0.0.4;q=0.25,*/*;q=0.1"
)
PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
    "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,/;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, TEXT),
        ("", TEXT),
        ("*/*", TEXT),
        ("text/*", TEXT),
        ("text/html", TEXT),
        ("nonsense;;;q=,,", TEXT),
        ("text/plain", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("text/plain;version=9", TEXT),
        ("application/openmetrics-text", OPEN),
        ("application/openmetrics-text; version=1.0.0", OPEN),
        ('application/openmetrics-text; version="1.0.0"', OPEN),
        ("Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8", OPEN),
        ("application/openmetrics-text; version=0.0.1", OPEN),
        ("application/openmetrics-text; version=2.0.0", TEXT),
        ("application/openmetrics-text; version=1.0.0; q=0", TEXT),
        ("application/openmetrics-text; q=0.1, text/plain; q=0.9", TEXT),
        ("application/openmetrics-text; q=0.9, text/plain; q=0.1", OPEN),
        ("application/openmetrics-text; q=bad, text/plain; q=0.1", TEXT),
        ("application/openmetrics-text; q=0.3, */*; q=0.9", TEXT),
        ("application/openmetrics-text; q=0.3, text/*; q=0.9", TEXT),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;q=0.8", TEXT),
        (PROMETHEUS_2_42, OPEN),
        (PROMETHEUS_2, OPEN),
        (PROMETHEUS_3, OPEN),
    ],
)
def test_the_format_that_is_wanted(served, accept, content_type) -> None:
    answer = served.get("/metrics", **({} if accept is None else {"Accept": accept}))
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert answer.body.endswith(b"# EOF\n") == (content_type == OPEN)


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True), ("gzip, deflate", True), ("deflate, GZIP;q=0.1", True), ("*", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip;q=0, *", False),
        ("br", False),
    ],
)  # fmt: skip
def test_gzip_where_it_is_wanted(served, accepted, zipped) -> None:
    answer = served.request("GET", "/metrics", headers={"Accept-Encoding": accepted})
    assert (answer.headers.get("content-encoding") == "gzip") == zipped
    body = gzip.decompress(answer.body) if zipped else answer.body
    assert b"modelmeter_build_info" in body


EVERYTHING = {
    "windows": ["1m", "5m", "50 labels"],
    "decision_interval": "1s",
    "model_server": {"pid": os.getpid()},
    "models": [
        {"name": "binary", "team": "a \"b\" \\ c", "limits": {"accuracy_ratio": {"min": 0.9}}},
        {"name": "many", "per_class": True},
    ],
}  # fmt: skip


def everything() -> list[dict]:
    events: list[dict] = []
    for i in range(300):
        common = {"id": i, "latency_seconds": i / 1000, "features": {"x": i, "c": str(i % 3)}}
        scores = {name: (0.6 if i % 3 == place else 0.2) for place, name in enumerate("abc")}
        events += [
            {"model": "binary", "score": i / 300, "label": i % 2, **common},
            {"model": "many", "scores": scores, "label": "abc"[i % 3], **common},
            {"model": "price", "prediction": i * 1.1, "label": i, **common},
            {"model": "later", "score": i / 300, **common},
            {"model": "later", "label": i % 2, "id": i},
        ]
    return events


def test_promtool_and_both_parsers_read_everything(process) -> None:
    client = process(EVERYTHING)
    assert client.post(everything()).json()["rejected_total"] == 0
    until(lambda: client.sum("model_metric_limit") > 0, "the decisions")
    # There with the second sample; the two scrapes below are to show the same.
    until(lambda: b"model_server_cpu_usage_cores{" in client.get("/metrics").body, "samples")
    text = client.get("/metrics").body
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    plain = samples(text.decode())
    other = client.get("/metrics", Accept=OPEN).body.decode()
    families = list(openmetrics(other))
    names = {sample.name for family in families for sample in family.samples}
    assert {name for name, _ in plain} == names
    assert len({family.name for family in families}) > 60
    assert all(value == value for value in plain.values())  # never NaN
    assert not any(sample.timestamp for family in families for sample in family.samples)


def test_a_scrape_and_health_are_answered_while_large_bodies_are_counted(process) -> None:
    client = process()
    event = b'{"model":"large","score":0.125,"label":1,"features":{"a":1,"b":"x"}}'
    body = b"[" + b",".join([event] * (4 * 2**20 // (len(event) + 1) - 1)) + b"]"
    done = threading.Event()
    accepted: list[int] = []

    def send() -> None:
        try:
            for _ in range(3):
                answer = client.request("POST", "/v1/events", body, JSON)
                accepted.append(answer.json()["accepted"])
        finally:
            done.set()

    sending = threading.Thread(target=send)
    sending.start()
    during = {"/metrics": 0, "/-/healthy": 0, "/v1/models": 0, "/": 0}
    while not done.is_set():
        for path in during:
            assert client.get(path).status == 200
            during[path] += not done.is_set()
    sending.join()
    assert min(during.values()) >= 2
    assert client.sum("model_predictions_total") == sum(accepted) == 3 * body.count(b"model")


def test_3000_names_get_200_models_and_little_memory(process) -> None:
    client = process()
    client.post({"model": "first", "score": 0.5, "label": 1})
    client.get("/metrics")
    before = client.memory()
    events = [{"model": f"m{i}", "score": 0.5, "label": 1, "id": f"{i}"} for i in range(3000)]
    assert client.post(events).json()["accepted"] == 3000
    found = client.metrics()
    names = {dict(labels).get("model") for _, labels in found} - {None}
    assert len(names) == 200
    assert "first" in names
    lost = found[("modelmeter_series_dropped_total", frozenset({("reason", "max_models")}))]
    assert lost == 3000 - 199
    shown = json.loads(client.get("/v1/models").body)["models"]
    assert len(shown) == 200
    assert client.memory() - before < 20_000_000
