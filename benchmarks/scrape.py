"""Processor time of a scrape, by number of models, beside prometheus_client writing the same.

    python -m benchmarks.scrape [--quick]

Models have five features, a binary task, labels and three windows. *Collect* is what all windows,
totals and decisions cost; *write* puts them into OpenMetrics. Medians of several scrapes, new
events counted before each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from prometheus_client.openmetrics.exposition import generate_latest

from benchmarks.result import Row, report, show
from benchmarks.soak import Events
from exporter import ledger
from exporter.config import Settings
from exporter.exposition import openmetrics
from exporter.families import Family
from exporter.registry import discover
from exporter.service import Clock, Service

AIM_SECONDS = 0.025
"""For 10 000 samples to be written in."""
SCRAPES = 7


class Load:
    """A service in this process, on a clock of its own, and events for it."""

    def __init__(self, models: int) -> None:
        self.now = 1.7e9
        clock = Clock(lambda: self.now, lambda: self.now, lambda seconds: None)
        settings = replace(Settings(), max_series=10**6)
        self.service = Service(settings, clock, None, [], None)
        self.service.restoring = False
        self._events = Events(models, late_seconds=1.0)
        for request in self._events.first():
            self._send(request)

    def go_on(self, bodies: int) -> None:
        """Count some more events."""
        for _ in range(bodies):
            self._send(self._events.body(self.now))
            self.now += 0.05

    def _send(self, request: bytes) -> None:
        content = request.split(b"\r\n\r\n", 1)[1]
        body = self.service.read("application/json", content, None, None)
        self.service.ledger.events([body], ledger.checked([body]))


class _Registry:
    def __init__(self, families: list[Family]) -> None:
        self.families = families

    def collect(self) -> list[Family]:
        return self.families


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of some work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def costs(models: int) -> Iterator[tuple[int, float, float, float]]:
    """Yield samples and the seconds to collect, to write, and to write by prometheus_client."""
    load = Load(models)
    load.service.tick()
    for _ in range(SCRAPES):
        load.go_on(20)
        families: list[Family] = []
        collect = seconds(lambda: families.extend(load.service.scraper.collect()))  # noqa: B023
        yield (
            sum(len(one.rows) for one in families),
            collect,
            seconds(lambda: openmetrics(families)),  # noqa: B023
            seconds(lambda: generate_latest(_Registry(families))),  # noqa: B023
        )


def rows(quick: bool) -> Iterator[Row]:
    """Yield two rows for each number of models."""
    discover()
    for models in (1, 10) if quick else (1, 50, 200):
        show(f"scrape: {models} models")
        samples, *times = (statistics.median(column) for column in zip(*costs(models), strict=True))
        collect, ours, theirs = (1000 * one for one in times)
        yield Row(
            f"scrape of {models} models, {samples:,.0f} samples: collect",
            f"{collect:.1f} ms, {collect / models:.2f} a model",
        )
        what = f"scrape of {models} models, {samples:,.0f} samples: write"
        beside = f"prometheus_client {theirs:.1f} ms, ratio {theirs / ours:.1f}"
        of_10k = ours / samples * 10_000
        if samples < 10_000:
            yield Row(what, f"{ours:.2f} ms", beside)
            continue
        figure = f"{ours:.2f} ms, {of_10k:.1f} for 10 000"
        most = 1000 * AIM_SECONDS
        yield Row(what, figure, beside, f"10 000 in < {most:.0f} ms", of_10k < most)


if __name__ == "__main__":
    raise SystemExit(report(__doc__, rows))
