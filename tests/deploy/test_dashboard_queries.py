"""Every query of every dashboard and runbook, run in a real Prometheus that scrapes a real
modelmeter with a classifier and a regression model in it."""

import json
import random
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack

import pytest
import yaml

from tests.deploy.support import ROOT, program
from tests.deploy.test_alertmanager import free_port, wait_for
from tests.deploy.test_dashboards import BOARDS, TARGETS
from tests.gpu.support import H100, TWO, Driver
from tests.resources.groups import NoGroup, group, limit_cpu, limit_memory
from tests.resources.support import BUSY, launched

SETTINGS = {
    "windows": ["1m", "5m"],
    "decision_interval": "1s",
    "models": [
        {"name": "fraud", "limits": {"accuracy_ratio": {"min": 0.95}, "f1_ratio": {"min": 0.5}}}
    ],
}
BLOCK = re.compile(r"```promql\n(.*?)```", re.DOTALL)
RUNBOOK_QUERIES = [
    pytest.param(query, id=f"{page.stem}:{number}")
    for page in sorted((ROOT / "docs/runbooks").glob("Model*.md"))
    for number, query in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
]
EVENTS = 400
OF_LIMITS = re.compile(r"model_server_(cpu_limit|memory_limit|cpu_throttled|cpu_periods)")
"""What a server has in a container with limits only."""


def classified(rng: random.Random, turn: int) -> list[dict]:
    """Predictions half a minute old and their labels, of a classifier that is right in 8 of 10."""
    events = []
    for number in range(EVENTS):
        score, name = rng.random(), f"{turn}-{number}"
        label = (score > 0.5) == (rng.random() < 0.8)
        events.append(
            {"model": "fraud", "version": "3", "id": name, "score": score, "ts": time.time() - 30}
            | {"latency_seconds": rng.uniform(0.001, 0.1)}
        )
        events.append({"model": "fraud", "id": name, "label": label})
    return events


def estimated(rng: random.Random) -> list[dict]:
    """Values and labels of a regression model."""
    labels = [rng.uniform(50, 150) for _ in range(EVENTS)]
    return [
        {"model": "price", "version": "1", "prediction": y + rng.gauss(1, 5), "label": y}
        for y in labels
    ]


class Installation:
    """A modelmeter and the Prometheus that scrapes it every second."""

    limited = False
    """Whether the model server has limits on CPU and memory."""

    def __init__(self, modelmeter: int, prometheus: int) -> None:
        self.modelmeter = f"http://127.0.0.1:{modelmeter}"
        self.prometheus = f"http://127.0.0.1:{prometheus}/api/v1"

    def is_ready(self) -> bool:
        with urllib.request.urlopen(self.modelmeter + "/-/ready", timeout=5) as answer:
            return answer.status == 200

    def send(self, events: list[dict]) -> None:
        request = urllib.request.Request(
            self.modelmeter + "/v1/events",
            json.dumps(events).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["rejected_total"] == 0

    def ask(self, path: str, **parameters: str) -> list:
        """The data of an answer; raises urllib.error.HTTPError for a query that fails."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.prometheus}/{path}?{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expr: str) -> list:
        return self.ask("query", query=expr)["result"]


def started(command: list[str], log, stack: ExitStack, env=None) -> subprocess.Popen:
    """A process that ends when the stack does."""
    running = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=env)

    def end() -> None:
        running.send_signal(signal.SIGTERM)
        running.wait(timeout=30)

    stack.callback(end)
    return running


def model_server(stack: ExitStack) -> tuple[int, bool]:
    """A busy model server, and whether it could be put into groups with limits."""
    server = launched(BUSY)
    limited = True
    try:
        folder, version = stack.enter_context(group("cpu", server.pid))
        limit_cpu(folder, version, 0.1)
        if version == 1:  # where a group has one controller only
            folder, version = stack.enter_context(group("memory", server.pid))
        limit_memory(folder, version, 2**28)
    except (NoGroup, OSError):
        limited = False
    for end in (server.stdout.close, server.stdin.close, server.wait, server.kill):
        stack.callback(end)
    return server.pid, limited


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installation")
    modelmeter, prometheus = free_port(), free_port()
    target = {"targets": [f"127.0.0.1:{modelmeter}"]}
    scraping = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ROOT / "prometheus/rules/*.yml")],
        "scrape_configs": [{"job_name": "modelmeter", "static_configs": [target]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(scraping))
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("w"))
        pid, limited = model_server(stack)
        settings = SETTINGS | {"model_server": {"pid": pid}}
        (folder / "modelmeter.yml").write_text(yaml.safe_dump(settings))
        serve = [sys.executable, "-m", "exporter", "serve", "--no-persist"]
        address = f"--web.listen-address=127.0.0.1:{modelmeter}"
        gpus = Driver(folder, TWO | {"0": H100 | {"processes": f"{pid}:4096"}})
        command = [*serve, "--config", str(folder / "modelmeter.yml"), address]
        started(command, log, stack, gpus.env)
        options = [
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{prometheus}",
        ]
        started([program("prometheus"), *options], log, stack)
        there = Installation(modelmeter, prometheus)
        there.limited = limited
        wait_for(there.is_ready, 60)
        wait_for(lambda: there.query("up == 1"), 60)
        rng = random.Random(1)
        # Three turns, each seen by a scrape, so that rates have something to rise over.
        for turn in range(3):
            there.send(classified(rng, turn))
            there.send(estimated(rng))
            seen = f"min(model_labels_total) >= {EVENTS * (turn + 1)}"
            wait_for(lambda expr=seen: there.query(expr), 30)
        wait_for(lambda: there.query('ALERTS{alertname="ModelMetricBeyondLimit"}'), 30)
        yield there


def filled(expr: str) -> str:
    """A dashboard's query as Grafana sends it when everything is chosen."""
    return re.sub(r"\$(job|instance|model|version|window)\b", ".+", expr).replace(
        "$__rate_interval", "1m"
    )


@pytest.mark.parametrize("target", TARGETS)
def test_a_query_of_a_dashboard_returns_series(installation, target):
    found = installation.query(filled(target["expr"]))
    # Without groups on this machine it is seen only that such a query can be run.
    assert found or (OF_LIMITS.search(target["expr"]) and not installation.limited)


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_variables_and_marks_find_something(installation, board):
    for variable in board["templating"]["list"][1:]:
        selector, label = re.fullmatch(
            r"label_values\((.+), (\w+)\)", variable["definition"]
        ).groups()
        assert installation.ask(f"label/{label}/values", **{"match[]": filled(selector)})
    for mark in board["annotations"]["list"]:
        range_of = {"start": str(time.time() - 120), "end": str(time.time()), "step": "1"}
        assert installation.ask("query_range", query=filled(mark["expr"]), **range_of)["result"]


@pytest.mark.parametrize("query", RUNBOOK_QUERIES)
def test_a_query_of_a_runbook_can_be_run(installation, query):
    try:
        installation.query(query)
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from None


def test_the_alert_that_fires_is_the_one_that_should(installation):
    firing = installation.query('ALERTS{alertstate="firing"}')
    told = {(alert["metric"]["alertname"], alert["metric"]["metric"]) for alert in firing}
    assert told == {("ModelMetricBeyondLimit", "accuracy_ratio")}
