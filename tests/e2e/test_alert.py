"""From an event to a delivered alert and back: real modelmeter, Prometheus and Alertmanager.

The rules are the shipped ones; only intervals and windows are shorter than in production.
"""

import json
import random
import shutil
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.programs import program
from tests.web.support import HOST, Client, Process, free_port, until

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "prometheus" / "rules"
SETTINGS = {
    "windows": ["15s", "5m"],
    "decision_interval": "1s",
    "models": [
        {"name": "fraud", "team": "risk", "limits": {"accuracy_ratio": {"min": 0.8}}},
    ],
}
NAME = {"model": "fraud", "version": "7"}


class Inbox:
    """A webhook receiver; keeps every alert of every notification."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []

    def find(self, status: str, **labels: str) -> dict[str, Any] | None:
        for alert in list(self.alerts):
            if alert["status"] == status and labels.items() <= alert["labels"].items():
                return alert
        return None


@contextmanager
def receiver() -> Iterator[tuple[int, Inbox]]:
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.alerts += json.loads(body)["alerts"]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    try:
        yield server.server_address[1], inbox
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Feed:
    """Events of a model that is right as often as :attr:`quality` says; sent until it is closed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stop = threading.Event()
        self._random = random.Random(1)
        self._thread = threading.Thread(target=self._run)
        self.quality = 0.95
        self.sent = 0

    def __enter__(self) -> "Feed":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            answer = self._client.post(self._events(20))
            assert answer.status == 200
            self.sent += 20

    def _events(self, count: int) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        for i in range(self.sent, self.sent + count):
            score = self._random.random()
            right = self._random.random() < self.quality
            events.append({**NAME, "id": str(i), "score": score})
            events.append({"model": "fraud", "id": str(i), "label": (score >= 0.5) == right})
        return events


class Prometheus(Client):
    def ask(self, path: str, **parameters: str) -> Any:
        answer = self.get(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        assert answer.status == 200, answer.body
        return answer.json()["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        return self.ask("query", query=expr)["result"]

    def is_ready(self) -> bool:
        return is_ready(self)


def is_ready(client: Client) -> bool:
    try:
        return client.get("/-/ready").status == 200
    except OSError:
        return False


def start(stack: ExitStack, folder: Path, command: list[str]) -> None:
    """A program that ends when the stack does."""
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def end() -> None:
        child.terminate()
        child.wait(30)

    stack.callback(end)


def alertmanager(stack: ExitStack, folder: Path, webhook: int) -> Client:
    """The shipped configuration, with this test's receiver and less patience."""
    settings = yaml.safe_load((ROOT / "alertmanager" / "alertmanager.yml").read_text())
    route = settings["route"]
    for one in (route, *route["routes"]):
        one |= {"group_wait": "1s", "group_interval": "1s"}
    for one in settings["receivers"]:
        for hook in one.get("webhook_configs", ()):
            hook["url"] = f"http://{HOST}:{webhook}/"
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(settings))
    subprocess.run([program("amtool"), "check-config", file], check=True, capture_output=True)
    client = Client(free_port())
    name = program("prometheus-alertmanager", "alertmanager")
    start(stack, folder, [
        name, f"--config.file={file}", f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={HOST}:{client.port}", "--cluster.listen-address=",
    ])  # fmt: skip
    until(lambda: is_ready(client), "Alertmanager")
    return client


def prometheus(stack: ExitStack, folder: Path, modelmeter: int, manager: int) -> Prometheus:
    """The shipped configuration and rules, with these ports and an interval of a second."""
    settings = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    shutil.copytree(RULES, folder / "rules")
    for rules in (folder / "rules").glob("*.yml"):
        text = rules.read_text(encoding="utf-8")
        rules.write_text(text.replace("keep_firing_for: 15m", "keep_firing_for: 2s"))
    managers = [{"static_configs": [{"targets": [f"{HOST}:{manager}"]}]}]
    settings["alerting"]["alertmanagers"] = managers
    jobs = [job for job in settings["scrape_configs"] if job["job_name"] == "modelmeter"]
    jobs[0]["static_configs"] = [{"targets": [f"{HOST}:{modelmeter}"]}]
    settings["scrape_configs"] = jobs
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(settings))
    subprocess.run([program("promtool"), "check", "config", file], check=True, capture_output=True)
    client = Prometheus(free_port())
    start(stack, folder, [
        program("prometheus"), f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={HOST}:{client.port}",
    ])  # fmt: skip
    until(client.is_ready, "Prometheus")
    return client


@pytest.mark.slow
def test_quality_falls_and_recovers_and_both_are_delivered(tmp_path) -> None:
    with ExitStack() as stack:
        webhook, inbox = stack.enter_context(receiver())
        meter = Process(tmp_path, SETTINGS)
        stack.callback(meter.end)
        manager = alertmanager(stack, tmp_path, webhook)
        server = prometheus(stack, tmp_path, meter.port, manager.port)
        with Feed(meter) as feed:
            a_good_model_alerts_nobody(server, inbox)
            feed.quality = 0.5
            it_falls(server, inbox)
            feed.quality = 1.0
            it_recovers(server, inbox)
        both_tell_the_same(server, meter, feed.sent)
        assert meter.stop() == 0


def a_good_model_alerts_nobody(server: Prometheus, inbox: Inbox) -> None:
    until(lambda: server.query("model_window_labels{window='15s'} > 100"), "labels")
    until(lambda: server.query("model_metric_limit_breached == 0"), "a decision")
    assert server.query("up{job='modelmeter'}")[0]["value"][1] == "1"
    (target,) = server.ask("targets", state="active")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    groups = server.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    until(
        lambda: all(r["health"] == "ok" for g in server.ask("rules")["groups"] for r in g["rules"])
    )
    assert rules
    assert inbox.alerts == []


def it_falls(server: Prometheus, inbox: Inbox) -> None:
    critical = {"alertname": "ModelMetricBeyondLimit", "severity": "critical", "window": "15s"}
    fired = until(lambda: inbox.find("firing", **critical), "the alert", 90)
    labels = fired["labels"]
    assert (labels["model"], labels["version"], labels["metric"]) == (
        "fraud",
        "7",
        "accuracy_ratio",
    )
    said = fired["annotations"]["description"]
    assert (
        "accuracy_ratio of model fraud (version 7) over 15s is beyond its min limit of 0.8" in said
    )
    assert fired["annotations"]["runbook_url"].endswith("/ModelMetricBeyondLimit.md")
    assert server.query("ALERTS{alertname='ModelMetricBeyondLimit', alertstate='firing'}")


def it_recovers(server: Prometheus, inbox: Inbox) -> None:
    critical = {"alertname": "ModelMetricBeyondLimit", "severity": "critical", "window": "15s"}
    resolved = until(lambda: inbox.find("resolved", **critical), "the resolution", 120)
    assert resolved["endsAt"] > resolved["startsAt"]
    expr = "model_metric_limit_breached{window='15s',level='critical'}"
    until(lambda: server.query(f"{expr} == 0"), "the recovery in Prometheus")


def both_tell_the_same(server: Prometheus, meter: Process, sent: int) -> None:
    """Once nothing is sent any more, Prometheus has what ``/metrics`` shows, sample by sample."""
    labels = frozenset(NAME.items())
    assert meter.metrics()[("model_predictions_total", labels)] == sent
    assert meter.metrics()[("model_labels_total", labels)] == sent
    scraped = time.time()
    until(lambda: float(server.query("timestamp(up)")[0]["value"][1]) > scraped, "a scrape")
    kept = ("_total", "_bucket", "_count", "_info")
    totals = {key: value for key, value in meter.metrics().items() if key[0].endswith(kept)}
    totals = {key: value for key, value in totals.items() if key[0].startswith("model_")}
    stored = {}
    for series in server.query('{__name__=~"model_.+"}'):
        name = series["metric"].pop("__name__")
        for added in ("job", "instance"):
            del series["metric"][added]
        if name.endswith(kept):
            labels = frozenset(series["metric"].items())
            stored[name, labels] = float(series["value"][1])
    assert stored == totals
    assert len(stored) > 30
