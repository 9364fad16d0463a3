"""Alertmanager's configuration: read by amtool, and inhibition tried in a real Alertmanager."""

import json
import socket
import subprocess
import time
import urllib.request

import pytest

from tests.deploy.support import ROOT, alert_rules, load, ok, program

FILE = "alertmanager/alertmanager.yml"
CONFIG = load(FILE)
BEYOND = {
    "alertname": "ModelMetricBeyondLimit",
    "job": "modelmeter",
    "instance": "mm:9920",
    "model": "fraud",
    "version": "3",
    "window": "5m",
    "metric": "accuracy_ratio",
    "bound": "min",
}
CRITICAL = BEYOND | {"severity": "critical", "level": "critical"}
WARNING = BEYOND | {"severity": "warning", "level": "warning"}


def test_configuration_is_valid():
    ok("amtool", "check-config", FILE)


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["severity=critical", "alertname=ModelMetricBeyondLimit"], "critical"),
        (["severity=warning", "alertname=ModelMetricBeyondLimit"], "warning"),
        (["severity=info", "alertname=ModelAnything"], "nobody"),
        (["alertname=SomethingElse"], "warning"),
    ],
)
def test_routes(labels, receiver):
    told = ok("amtool", "config", "routes", "test", "--config.file", FILE, *labels)
    assert told.split() == [receiver]


def test_the_root_route_takes_everything_and_groups():
    root = CONFIG["route"]
    assert not {"match", "match_re", "matchers", "continue"} & set(root)
    assert {"alertname", "job", "model", "version"} <= set(root["group_by"])


def test_matchers_are_written_in_the_present_form():
    text = json.dumps(CONFIG)
    for old in ('"match":', '"match_re":', '"source_match":', '"target_match":'):
        assert old not in text


def test_no_secret_is_written_into_the_file():
    text = json.dumps(CONFIG)
    for key in ("password", "api_url", "routing_key", "service_key", "bot_token", "credentials"):
        assert f'"{key}":' not in text


def test_inhibiting_labels_exist_on_what_they_compare():
    """A label missing on both sides counts as equal, so it must exist in the rules' results."""
    decision = set(BEYOND) | {"severity"}
    for rule in CONFIG["inhibit_rules"]:
        assert rule["equal"]
        assert set(rule["equal"]) <= decision
    names = {rule["alert"] for rule in alert_rules()}
    for rule in CONFIG["inhibit_rules"]:
        sources = [m.split('"')[1] for m in rule["source_matchers"] if m.startswith("alertname=")]
        assert sources
        assert set(sources) <= names


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Alertmanager:
    """The HTTP interface of a running Alertmanager."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v2"

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path, timeout=5) as answer:
            return json.load(answer)

    def post(self, alerts: list[dict[str, str]]) -> None:
        body = json.dumps([{"labels": labels} for labels in alerts]).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + "/alerts", body, headers)
        urllib.request.urlopen(request, timeout=5).close()

    def suppressed(self) -> list[dict[str, str]]:
        alerts = self.get("/alerts")
        return [alert["labels"] for alert in alerts if alert["status"]["inhibitedBy"]]


def wait_for(condition, seconds: float = 20.0):
    """What `condition` returns, as soon as it is true; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            got = condition()
        except OSError:
            got = None
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("did not become true in time")


@pytest.fixture
def alertmanager(tmp_path):
    port = free_port()
    command = [
        program("prometheus-alertmanager", "alertmanager"),
        f"--config.file={ROOT / FILE}",
        f"--storage.path={tmp_path}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        there = Alertmanager(port)
        wait_for(lambda: there.get("/status"))
        yield there
    finally:
        running.terminate()
        running.wait(timeout=20)


def test_critical_holds_back_the_warning_of_the_same_metric_only(alertmanager):
    other = WARNING | {"metric": "f1_ratio"}
    alertmanager.post([CRITICAL, WARNING, other])
    wait_for(lambda: len(alertmanager.get("/alerts")) == 3)
    assert wait_for(alertmanager.suppressed) == [WARNING]


def test_an_instance_that_is_down_holds_back_its_warnings_only(alertmanager):
    down = {"alertname": "ModelmeterDown", "severity": "critical", "job": "modelmeter"}
    elsewhere = WARNING | {"instance": "other:9920"}
    alertmanager.post([down | {"instance": "mm:9920"}, WARNING, elsewhere])
    wait_for(lambda: len(alertmanager.get("/alerts")) == 3)
    assert wait_for(alertmanager.suppressed) == [WARNING]
