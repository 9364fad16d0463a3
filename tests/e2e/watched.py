"""A model server, modelmeter, Prometheus and Alertmanager as they are shipped, in a hurry, and
receivers that keep what they are told."""

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.receivers import Mail, Posted, adapted, http, smtp
from tests.e2e import hurried
from tests.e2e.asked import ModelServer, Traffic
from tests.e2e.churn import MODEL, Row, customer, score, truth
from tests.e2e.test_alert import Prometheus, is_ready, start
from tests.e2e.told import History, all_know, history
from tests.programs import program
from tests.web.support import HOST, Client, Process, free_port, until

OBJECTIVE = {
    "record": "modelmeter:objective:model",
    "expr": "vector(6)",
    "labels": {"objective": "label_staleness", "model": MODEL},
}
"""As docs/alerts.md tells to override the day that is usual."""


class World:
    """Everything that runs, and what was told."""

    def __init__(
        self,
        meter: Process,
        prometheus: Prometheus,
        manager: Client,
        posted: list[Posted],
        mails: list[Mail],
    ) -> None:
        self.meter = meter
        self.prometheus = prometheus
        self.posted = posted
        self.mails = mails
        self._manager = manager

    def told(self) -> History:
        """What has been told since the last time that this was forgotten."""
        return history(list(self.posted), list(self.mails))

    def forget(self) -> None:
        self.posted.clear()
        self.mails.clear()

    def alerts(self) -> set[str]:
        """Alerts that fire or are about to, without those that are for information."""
        found = self.prometheus.query('ALERTS{severity!="info"}')
        return {one["metric"]["alertname"] for one in found}

    def held_back(self) -> set[str]:
        """Alerts that Alertmanager has, and tells nobody of while another one fires."""
        held = [one for one in self._active() if one["status"]["inhibitedBy"]]
        return {one["labels"]["alertname"] for one in held}

    def settles(self) -> History:
        """Wait until nothing fires and everyone knows; return all that was told until then."""
        until(lambda: not self.alerts(), "the end of the alerts", 120)
        until(lambda: not self._active(), "Alertmanager to know it", 60)
        until(lambda: all_know(self.told()), "everyone to know it", 60)
        told = self.told()
        self.forget()
        return told

    def _active(self) -> list[dict[str, Any]]:
        alerts: list[dict[str, Any]] = self._manager.get("/api/v2/alerts").json()
        return [one for one in alerts if one["labels"]["severity"] != "info"]


@contextmanager
def world(folder: Path) -> Iterator[tuple[World, Traffic, ModelServer]]:
    """All of it, with traffic, once Prometheus has seen it and is content."""
    with ExitStack() as stack:
        web, posted = stack.enter_context(http())
        port, mails = stack.enter_context(smtp())
        serving = free_port()
        meter = Process(folder, settings(folder, serving))
        stack.callback(meter.end)
        server = ModelServer(serving, meter.url)
        stack.callback(server.kill)
        manager = Client(free_port())
        watching = prometheus(stack, folder, meter, manager)
        # Its start may take seconds here, which are minutes for the rules: nobody hears of it.
        until(lambda: watching.query("up == 1"), "the first scrape")
        until(lambda: not watching.query("ALERTS"), "silence")
        alertmanager(stack, folder, manager, adapted(folder, web, port))
        traffic = stack.enter_context(Traffic(server, meter))
        yield World(meter, watching, manager, posted, mails), traffic, server


def settings(folder: Path, serving: int) -> dict[str, Any]:
    """Modelmeter's: windows and decisions as short as the rules are hurried."""
    rng = random.Random(2)
    reference = folder / "reference.ndjson"
    reference.write_text("\n".join(json.dumps(_past(rng)) for _ in range(5000)))
    model = {
        "name": MODEL,
        "team": "growth",
        "limits": {"accuracy_ratio": {"min": 0.8}},
        "reference": {"file": str(reference), "independent": True},
    }
    return {
        "windows": ["15s", "30s"],
        "decision_interval": "1s",
        "drift": {"windows": ["30s"]},
        "models": [model],
        "model_server": {"port": serving},
    }


def _past(rng: random.Random) -> Row:
    row = customer(rng)
    scored = score(row)
    return {"score": scored, "label": truth(rng, scored), "features": row}


def prometheus(stack: ExitStack, folder: Path, meter: Client, manager: Client) -> Prometheus:
    hurried.rules(folder / "rules")
    own = {"groups": [{"name": "our-objectives", "rules": [OBJECTIVE]}]}
    (folder / "rules/our-objectives.yml").write_text(yaml.safe_dump(own))
    config = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [_at(manager)]},
        "scrape_configs": [{"job_name": "modelmeter"} | _at(meter)],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    client = Prometheus(free_port())
    start(stack, folder, [
        program("prometheus"), f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={HOST}:{client.port}",
    ])  # fmt: skip
    until(client.is_ready, "Prometheus")
    return client


def _at(client: Client) -> dict[str, Any]:
    return {"static_configs": [{"targets": [f"{HOST}:{client.port}"]}]}


def alertmanager(stack: ExitStack, folder: Path, client: Client, config: dict[str, Any]) -> None:
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(hurried.notifications(config)))
    start(stack, folder, [
        program("prometheus-alertmanager", "alertmanager"), f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager'}", "--cluster.listen-address=",
        f"--web.listen-address={HOST}:{client.port}",
    ])  # fmt: skip
    until(lambda: is_ready(client), "Alertmanager")
