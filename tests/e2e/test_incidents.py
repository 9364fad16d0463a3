"""Four incidents, each told to those who are to know, and to nobody else, and nothing before them.

Real modelmeter, Prometheus and Alertmanager, with the shipped rules, routes, inhibition and
templates; what is other than in production is that every duration is a sixtieth (hurried.py), that
mail and webhooks go to this machine, and that labels are stale after a few seconds.
"""

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.receivers import Mail, Posted, adapted, http, smtp
from tests.e2e import hurried
from tests.e2e.test_alert import Prometheus, start
from tests.programs import program
from tests.web.support import HOST, Client, Process, free_port, until

QUIET_SECONDS = 120
NAME = {"model": "churn", "version": "7"}
IDLE = "import sys; sys.stdin.read()"
OBJECTIVE = {
    "record": "modelmeter:objective:model",
    "expr": "vector(6)",
    "labels": {"objective": "label_staleness", "model": "churn"},
}
"""As docs/alerts.md tells to override the day that is usual."""

Told = set[tuple[str, str, str]]
"""Who was told, whether it fires or is resolved, and of which alert."""


def event(rng: random.Random, quality: float, missing: float) -> dict[str, Any]:
    score = rng.random()
    right = rng.random() < quality
    return {
        "score": score,
        "label": int((score >= 0.5) == right),
        "latency_seconds": rng.uniform(0.02, 0.08),
        "features": {
            "amount": None if rng.random() < missing else rng.gauss(50, 20),
            "age": rng.uniform(18, 80),
        },
    }


class Traffic:
    """A model's events, and a second later its labels; sent until it is closed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._random = random.Random(1)
        self.quality, self.missing = 0.95, 0.01
        self.labelled = self.served = True
        self.failed: BaseException | None = None

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        if self.failed:
            raise self.failed

    def _run(self) -> None:
        waiting: list[dict[str, Any]] = []
        try:
            while not self._end.wait(0.5):
                labels, waiting = waiting, []
                if self.served:
                    labels += self._predict(waiting)
                if labels:
                    assert self._client.post(labels).json()["rejected_total"] == 0
        except BaseException as error:
            self.failed = error

    def _predict(self, waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
        predictions = []
        for _ in range(20):
            one = event(self._random, self.quality, self.missing)
            name = NAME | {"id": f"{self._random.getrandbits(60):x}"}
            if self.labelled:
                waiting.append(name | {"label": one["label"]})
            del one["label"]
            predictions.append(name | one)
        return predictions


class ModelServer:
    """A process that is found by the file that holds its id."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", IDLE], stdin=subprocess.PIPE)
        self._file.write_text(str(self._process.pid))

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


class World:
    """Everything that runs, and what was told."""

    def __init__(
        self, prometheus: Prometheus, manager: Client, posted: list[Posted], mails: list[Mail]
    ) -> None:
        self.prometheus = prometheus
        self._manager = manager
        self._posted = posted
        self._mails = mails

    def told(self) -> Told:
        """What has been told since the last time that this was forgotten."""
        said: Told = set()
        for one in list(self._posted):
            if one.path == "/modelmeter":
                for alert in one.body["alerts"]:
                    said.add(("webhook", alert["status"], alert["labels"]["alertname"]))
            else:
                what = {"trigger": "firing", "resolve": "resolved"}[one.body["event_action"]]
                name = one.body["payload"]["class"] if what == "firing" else "any"
                said.add((one.path.strip("/"), what, name))
        for mail in list(self._mails):
            level, name = mail.message["Subject"].split()[:2]
            said.add(("mail", "resolved" if "RESOLVED" in level else "firing", name))
        return said

    def forget(self) -> None:
        self._posted.clear()
        self._mails.clear()

    def alerts(self, state: str = "firing") -> set[str]:
        """Alerts that Prometheus has, without those that are for information."""
        found = self.prometheus.query(f'ALERTS{{alertstate="{state}",severity!="info"}}')
        return {one["metric"]["alertname"] for one in found}

    def suppressed(self) -> set[str]:
        """Alerts that Alertmanager holds back."""
        found = self._manager.get("/api/v2/alerts").json()
        return {one["labels"]["alertname"] for one in found if one["status"]["inhibitedBy"]}

    def settles(self) -> None:
        """Wait until nothing fires, and all who were told that something does know it."""
        until(lambda: not self.alerts() and not self.alerts("pending"), "the end", 120)

        def all_know() -> bool:
            told = self.told()
            fired = {(who, name) for who, status, name in told if status == "firing"}
            over = {(who, name) for who, status, name in told if status == "resolved"}
            return {who for who, _ in fired} <= {who for who, _ in over} and all(
                one in over for one in fired if one[0] != "pagerduty"
            )

        until(all_know, "everyone to know", 60)


def page(alert: str) -> Told:
    """What a critical alert tells: the pager and the webhook, that it fires and that it is over."""
    return {
        ("webhook", "firing", alert),
        ("webhook", "resolved", alert),
        ("pagerduty", "firing", alert),
        ("pagerduty", "resolved", "any"),
    }


def mail(alert: str) -> Told:
    """What a warning tells the team of this model."""
    return {("mail", "firing", alert), ("mail", "resolved", alert)}


def alertmanager(stack: ExitStack, folder: Path, client: Client, web: int, smtp_port: int) -> None:
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(hurried.notifications(adapted(folder, web, smtp_port))))
    start(stack, folder, [
        program("prometheus-alertmanager", "alertmanager"), f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager'}", "--cluster.listen-address=",
        f"--web.listen-address={HOST}:{client.port}",
    ])  # fmt: skip
    until(lambda: listens(client), "Alertmanager")


def listens(client: Client) -> bool:
    try:
        return client.get("/-/ready").status == 200
    except OSError:
        return False


def prometheus(stack: ExitStack, folder: Path, meter: int, manager: int) -> Prometheus:
    hurried.rules(folder / "rules")
    own = {"groups": [{"name": "our-objectives", "rules": [OBJECTIVE]}]}
    (folder / "rules/our-objectives.yml").write_text(yaml.safe_dump(own))
    settings = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"{HOST}:{manager}"]}]}]},
        "scrape_configs": [
            {"job_name": "modelmeter", "static_configs": [{"targets": [f"{HOST}:{meter}"]}]}
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(settings))
    client = Prometheus(free_port())
    start(stack, folder, [
        program("prometheus"), f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={HOST}:{client.port}",
    ])  # fmt: skip
    until(client.is_ready, "Prometheus")
    return client


def settings(folder: Path) -> dict[str, Any]:
    rng = random.Random(2)
    reference = folder / "reference.ndjson"
    reference.write_text("\n".join(json.dumps(event(rng, 0.95, 0.01)) for _ in range(5000)))
    model = {
        "name": "churn",
        "team": "growth",
        "limits": {"accuracy_ratio": {"min": 0.8}},
        "reference": {"file": str(reference), "independent": True},
    }
    return {
        "windows": ["15s", "30s"],
        "decision_interval": "1s",
        "drift": {"windows": ["30s"]},
        "models": [model],
        "model_server": {"pid_file": str(folder / "pid")},
    }


@contextmanager
def world(folder: Path) -> Iterator[tuple[World, Traffic, ModelServer]]:
    with ExitStack() as stack:
        web, posted = stack.enter_context(http())
        port, mails = stack.enter_context(smtp())
        server = ModelServer(folder / "pid")
        stack.callback(server.kill)
        meter = Process(folder, settings(folder))
        stack.callback(meter.end)
        manager = Client(free_port())
        watching = prometheus(stack, folder, meter.port, manager.port)
        # Its start may take seconds here, which are minutes for the rules: nobody hears of it.
        until(lambda: watching.query("up == 1"), "the first scrape")
        until(lambda: not watching.query("ALERTS"), "silence")
        alertmanager(stack, folder, manager, web, port)
        traffic = stack.enter_context(Traffic(meter))
        yield World(watching, manager, posted, mails), traffic, server


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_incidents_are_told_to_those_who_are_to_know(tmp_path) -> None:
    with world(tmp_path) as (there, traffic, server):
        two_quiet_minutes(there)
        quality_falls(there, traffic)
        values_of_a_feature_are_missing(there, traffic)
        the_model_server_is_killed(there, traffic, server)
        labels_stop(there, traffic)


def two_quiet_minutes(there: World) -> None:
    end = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < end:
        assert not there.alerts()
        assert not there.told()
        time.sleep(1)
    for decided in ("model_metric_limit_breached", "model_feature_quality_detected"):
        assert there.prometheus.query(decided), "it could have been told"


def quality_falls(there: World, traffic: Traffic) -> None:
    traffic.quality = 0.4
    until(lambda: page("ModelMetricBeyondLimit") & there.told(), "a page", 60)
    traffic.quality = 0.95
    there.settles()
    # The warning on the way to the page may have come first.
    assert there.told() - mail("ModelMetricBeyondLimit") == page("ModelMetricBeyondLimit")
    there.forget()


def values_of_a_feature_are_missing(there: World, traffic: Traffic) -> None:
    traffic.missing = 0.5
    until(lambda: mail("ModelFeatureMissing") & there.told(), "a mail", 60)
    traffic.missing = 0.01
    there.settles()
    assert there.told() == mail("ModelFeatureMissing")
    there.forget()


def the_model_server_is_killed(there: World, traffic: Traffic, server: ModelServer) -> None:
    server.kill()
    traffic.served = False
    until(lambda: page("ModelServerDown") & there.told(), "a page", 60)
    # Its consequence comes later, and is held back.
    until(lambda: "ModelTrafficAbsent" in there.suppressed(), "no traffic", 60)
    server.start()
    traffic.served = True
    there.settles()
    assert there.told() == page("ModelServerDown")
    there.forget()


def labels_stop(there: World, traffic: Traffic) -> None:
    traffic.labelled = False
    until(lambda: mail("ModelLabelsStale") & there.told(), "a mail", 60)
    traffic.labelled = True
    there.settles()
    assert there.told() == mail("ModelLabelsStale")
