"""Processor time of a scrape, by number of models, beside prometheus_client writing the same.

    python -m benchmarks.scrape [--models 1 50 200]

Models have five features, a binary task, labels and three windows. *Collect* is what all windows,
totals and decisions cost; *write* puts them into OpenMetrics. Medians of several scrapes, new
events counted before each.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from prometheus_client.openmetrics.exposition import generate_latest

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


def main() -> int:
    """Measure and print; the status is 1 if writing is too slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, nargs="+", default=[1, 50, 200])
    options = parser.parse_args()
    discover()
    heads = "models", "samples", "collect ms", "write ms", "peer ms", "ratio", "10k samples ms"
    print("".join(f"{head:>15}" for head in heads))
    met = True
    for models in options.models:
        samples, *times = (statistics.median(column) for column in zip(*costs(models), strict=True))
        collect, ours, theirs = (1000 * one for one in times)
        of_10k = ours / samples * 10_000
        met &= of_10k < 1000 * AIM_SECONDS or samples < 10_000
        row = f"{models}", f"{samples:.0f}", f"{collect:.1f}", f"{ours:.2f}", f"{theirs:.1f}"
        print("".join(f"{one:>15}" for one in (*row, f"{theirs / ours:.1f}", f"{of_10k:.1f}")))
    print(f"aim: 10 000 samples in {1000 * AIM_SECONDS:.0f} ms: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
