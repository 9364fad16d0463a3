"""How cost grows: over models, features, windows, waiting predictions and events a second.

    python -m benchmarks.growth [--quick] [--to docs/images]

A service in this process on a clock of its own, a process for each point; processor time and
resident memory. Writes a plot for each and prints the tables of docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from benchmarks import plot
from benchmarks.local import Local, seconds
from benchmarks.result import show
from exporter.config import JoinSettings, Settings, WindowSpec
from exporter.exposition import openmetrics
from exporter.registry import discover

IDLE_MB: Final = 83
"""An idle service (`benchmarks.restart`)."""
SPANS: Final = (300, 3600, 86_400, 900, 10_800, 43_200)
MINUTES: Final = 5
ROUNDS: Final = 5
PROCESSES: Final = 3


@dataclass(frozen=True)
class Point:
    """What is watched."""

    models: int = 10
    features: int = 10
    windows: int = 3
    waiting: int = 0
    batch: int = 500
    """Events of a body: of one model."""


@dataclass(frozen=True)
class Cost:
    """What that takes."""

    event_us: float
    scrape_ms: float
    samples: int
    megabytes: float


AXES: Final[dict[str, tuple[str, Sequence[int]]]] = {
    "models": ("models", (1, 25, 50, 100, 200)),
    "features": ("features of each model", (0, 10, 25, 50, 100)),
    "windows": ("windows", (1, 2, 3, 4, 6)),
    "waiting": ("predictions that wait for a label", (0, 100_000, 250_000, 500_000, 1_000_000)),
    "batch": ("events in a body", (1, 10, 100, 1000)),
}
TABLE: Final = [Point(1, 10), Point(10, 10), Point(10, 50), Point(50, 20), Point(200, 10)]
EVENTS_A_SECOND: Final = (10, 1000, 10_000)
SCRAPES_A_SECOND: Final = 1 / 15


def measure(point: Point) -> Cost:
    """Return what a point costs; run in a process of its own, for the sake of memory."""
    discover()
    rng = np.random.default_rng(1)
    empty = psutil.Process().memory_info().rss
    windows = tuple(WindowSpec(f"{one}s", float(one)) for one in SPANS[: point.windows])
    join = JoinSettings(max_pending=2_000_000)
    local = Local(replace(Settings(), windows=windows, join=join, max_series=10**6))
    names = [f"m{number}" for number in range(point.models)]
    for name in names:  # the first thousand are kept raw
        local.send(Local.events(rng, name, 1100, point.features))
    for start in range(0, point.waiting, 10_000):
        local.send(Local.events(rng, "m0", 10_000, 0, ids=start))
    counted = 0.0
    bodies = [
        json.dumps(Local.events(rng, name, point.batch, point.features)).encode() for name in names
    ]
    many = max(1, 2000 // (point.batch * point.models))
    for _ in range(MINUTES):
        local.now += 60.0

        def count() -> None:
            for body in bodies * many:
                local.take(body)
            local.service.monitor.tick(local.now)

        counted += seconds(count, 1)

    def scrape() -> None:
        local.now += 1.0
        openmetrics(local.service.scraper.collect())

    took = seconds(scrape, ROUNDS)
    samples = sum(len(one.rows) for one in local.service.scraper.collect())
    events = MINUTES * many * point.batch * point.models
    grown = psutil.Process().memory_info().rss - empty
    return Cost(counted / events * 1e6, took * 1e3, samples, grown / 1e6)


def apart(point: Point) -> Cost:
    """Return what a point costs: medians of processes of their own."""
    show(f"growth: {point}")
    command = [sys.executable, "-m", "benchmarks.growth", "--point", json.dumps(asdict(point))]
    told = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(PROCESSES)
    ]
    return Cost(**{name: statistics.median(one[name] for one in told) for name in told[0]})


def curve(axis: str, values: Sequence[int], to: Path) -> None:
    """Measure one axis, print its table, and draw it."""
    found = [apart(replace(Point(), **{axis: value})) for value in values]
    title = AXES[axis][0]
    print(f"\n| {title} | an event, us | a scrape, ms | samples | memory, MB |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for value, cost in zip(values, found, strict=True):
        print(
            f"| {value:,} | {cost.event_us:.2f} | {cost.scrape_ms:.1f} | {cost.samples:,.0f} "
            f"| {cost.megabytes:.0f} |"
        )
    panels = [
        plot.Panel("an event, us", [one.event_us for one in found]),
        plot.Panel("a scrape, ms", [one.scrape_ms for one in found]),
        plot.Panel("memory, MB", [one.megabytes for one in found]),
    ]
    (to / f"growth-{axis}.svg").write_text(plot.draw(title, values, panels), encoding="utf-8")


def sizing(points: Sequence[Point]) -> None:
    """Print the sizing table: processor time of counting and of a scrape every 15 seconds."""
    print("\n| models | features | series | memory, MB | " + " | ".join(
        f"cores at {rate:,} events/s" for rate in EVENTS_A_SECOND) + " |")  # fmt: skip
    print("| ---: " * (4 + len(EVENTS_A_SECOND)) + "|")
    for point in points:
        cost = apart(point)
        cores = [
            rate * cost.event_us / 1e6 + SCRAPES_A_SECOND * cost.scrape_ms / 1e3
            for rate in EVENTS_A_SECOND
        ]
        print(
            f"| {point.models} | {point.features} | {cost.samples:,.0f} "
            f"| {IDLE_MB + cost.megabytes:.0f} | "
            + " | ".join(f"{one:.3f}" for one in cores) + " |"
        )  # fmt: skip


def main() -> int:
    """Measure everything, or one point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two values an axis")
    parser.add_argument("--to", type=Path, default=Path("docs/images"), help="folder of the plots")
    parser.add_argument("--point", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        of: dict[str, Any] = json.loads(options.point)
        print(json.dumps(asdict(measure(Point(**of)))))
        return 0
    for axis, (_, values) in AXES.items():
        curve(axis, values[:2] if options.quick else values, options.to)
    sizing(TABLE[:1] if options.quick else TABLE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
