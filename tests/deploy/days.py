"""A day of a model and its server, minute by minute, through the service on a clock of its own; and
what Prometheus's own evaluation of the shipped rules makes of it (``promtool test rules``).
"""

import json
import math
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter import exposition, registry
from exporter.collectors.model_server import ModelServerCollector
from exporter.config import Limit, ModelSettings, Settings
from exporter.config.settings import ModelServerSettings
from exporter.ingest import decode
from exporter.ingest.columns import check
from exporter.ledger import checked
from exporter.reference.build import build
from exporter.server.sampler import Sampler
from exporter.server.server import Server
from exporter.service import Clock, Service
from tests.deploy.support import RULE_FILES, alert_rules, metric_names, recording_rules

MINUTES = 24 * 60
START = 1_790_000_000.0
"""Unix time of the day's first minute; the tests of Prometheus begin at 0."""
MODEL = ModelSettings("churn", team="growth", limits=(Limit("accuracy_ratio", "min", 0.8),))
IDLE = "import sys; sys.stdin.read()"
SCRAPED = 'job="modelmeter",instance="mm:9920"'
TIMES = "_timestamp_seconds"
READ = {
    name for rule in (*alert_rules(), *recording_rules()) for name in metric_names(rule["expr"])
}
"""Series that the rules read."""

Minutes = Collection[int]
Series = dict[str, list[float | None]]
"""Values of each series at each minute."""


@dataclass(frozen=True)
class Incidents:
    """In which minutes of the day something is wrong."""

    worse: Minutes = ()
    missing: Minutes = ()
    down: Minutes = ()
    unlabelled: Minutes = ()


def event(rng: random.Random, quality: float = 0.95, missing: float = 0.01) -> dict[str, Any]:
    """A prediction and its label; scores do not depend on features."""
    score = rng.random()
    label = int((score >= 0.5) == (rng.random() < quality))
    amount = None if rng.random() < missing else rng.gauss(50, 20)
    features = {"amount": amount, "country": rng.choice(["de", "fr", "it"])}
    seconds = rng.lognormvariate(-3, 0.5)
    return {"score": score, "label": label, "features": features, "latency_seconds": seconds}


class Day:
    """The service, a real process as its model server, and the events that come."""

    def __init__(self, folder: Path, incidents: Incidents) -> None:
        registry.discover()
        self._now = START
        self._incidents = incidents
        self._rng = random.Random(5)
        self._file = folder / "pid"
        self._process = self._launched()
        settings = Settings(models=(MODEL,), persist=False)
        clock = Clock(lambda: self._now, lambda: self._now)
        target = ModelServerSettings(pid_file=str(self._file))
        self._sampler = Sampler([Server("", target)], settings, clock.monotonic, clock.wall, cpus=2)
        collector = ModelServerCollector(self._sampler, clock.monotonic)
        self._service = Service(settings, clock, None, [collector])
        self._waiting: list[dict[str, Any]] = []

    def _launched(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen([sys.executable, "-c", IDLE], stdin=subprocess.PIPE)
        self._file.write_text(str(process.pid))
        return process

    def _ended(self) -> None:
        self._process.kill()
        self._process.communicate()

    def series(self) -> Series:
        """Play the day; return what scrapes saw."""
        found: Series = defaultdict(lambda: [None] * MINUTES)
        try:
            for minute in range(MINUTES):
                self._minute(minute)
                for name, labels, value in self._scraped():
                    shift = START if name.endswith(TIMES) else 0.0
                    found[f"{name}{{{SCRAPED}{labels}}}"][minute] = value - shift
        finally:
            self._ended()
        return dict(found)

    def _minute(self, minute: int) -> None:
        down = self._incidents.down
        if minute in down and minute - 1 not in down:
            self._ended()
        if minute not in down and minute - 1 in down:
            self._process = self._launched()
        # More by day than by night.
        busy = 20 - round(10 * math.cos(2 * math.pi * minute / MINUTES))
        self._take(self._waiting + ([] if minute in down else self._predictions(minute, busy)))
        if minute == 0:
            self._refer()
        for _ in range(2):  # samples of the server, and ticks, are more often than scrapes
            self._now += 30
            self._sampler.sample()
            self._service.tick()

    def _predictions(self, minute: int, count: int) -> list[dict[str, Any]]:
        """Predictions of this minute; their labels come in the next one."""
        quality = 0.5 if minute in self._incidents.worse else 0.95
        missing = 0.3 if minute in self._incidents.missing else 0.01
        predictions, labels = [], []
        for number in range(count):
            name = {"model": "churn", "version": "7", "id": f"{minute}-{number}"}
            one = event(self._rng, quality, missing)
            labels.append(name | {"label": one.pop("label")})
            predictions.append(name | one)
        self._waiting = [] if minute in self._incidents.unlabelled else labels
        return predictions

    def _take(self, events: list[dict[str, Any]]) -> None:
        if events:
            body = self._service.read("application/json", json.dumps(events).encode(), None, None)
            (outcome,) = self._service.ledger.events([body], checked([body]))
            assert not outcome.rejected
        self._waiting = self._waiting if events and "score" in events[-1] else []

    def _refer(self) -> None:
        rng = random.Random(6)
        rows = [{"model": "churn"} | event(rng) for _ in range(20_000)]
        columns, _ = check(decode("application/json", json.dumps(rows).encode()))
        (model,) = self._service.monitor.models.versions("churn")
        model.adopt(build(columns, MODEL)[0], self._now)

    def _scraped(self) -> Iterator[tuple[str, str, float]]:
        """Name, labels (each after a comma) and value of what the rules read."""
        text = exposition.text(self._service.scraper.collect()).decode()
        for line in text.splitlines():
            told, _, value = line.rpartition(" ")
            name, _, labels = told.partition("{")
            if name in READ:
                yield name, f",{labels[:-1]}" if labels else "", float(value)


def _values(values: list[float | None]) -> str:
    """As promtool takes them; a series that ends is marked, as a scrape does."""
    told, before = [], None
    for value in values:
        if value is None:
            told.append("_" if before is None else "stale")
        else:
            told.append(f"{value:.12g}")
        before = value
    return " ".join(told)


def promtool_tests(series: Series, own: Path, expected: list[dict[str, Any]]) -> dict[str, Any]:
    """The tests for promtool: the shipped rules and `own` on a day's series."""
    up = {f"up{{{SCRAPED}}}": [1.0] * MINUTES}
    return {
        "rule_files": [str(file) for file in (*RULE_FILES, own)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": _values(values)}
                    for name, values in sorted((series | up).items())
                ],
                "promql_expr_test": expected,
            }
        ],
    }
