"""A modelmeter in this process, on a clock of its own: what the benchmarks without HTTP share."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from exporter import ledger
from exporter.config import ModelSettings, Settings
from exporter.ingest import decode
from exporter.ingest.columns import check
from exporter.reference.build import build
from exporter.reference.reference import Reference
from exporter.service import Clock, Service

RUNS = 5


class Local:
    """A service, and the time that it is told."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.now = 1.7e9
        clock = Clock(lambda: self.now, lambda: self.now)
        self.service = Service(settings or Settings(max_series=10**6), clock)

    def send(self, events: Any) -> None:
        """Count a body of events."""
        self.take(json.dumps(events).encode())

    def take(self, content: bytes) -> None:
        """Count a body."""
        body = self.service.read("application/json", content, "m", None)
        (outcome,) = self.service.ledger.events([body], ledger.checked([body]))
        if outcome.rejected:
            raise ValueError(outcome.rejected[0])

    @staticmethod
    def events(
        rng: np.random.Generator, model: str, count: int, features: int, *, ids: int | None = None
    ) -> dict[str, Any]:
        """Return labelled predictions as columns; with ``ids``, predictions that wait."""
        scores = rng.random(count).round(6)
        table: dict[str, Any] = {"score": scores.tolist()}
        if ids is None:
            table["label"] = (rng.random(count) < scores).astype(int).tolist()
        else:
            table["id"] = [f"{number:031d}" for number in range(ids, ids + count)]
        table["features"] = named(rng.normal(size=(count, features)).round(6))
        return {"model": model, "columns": table}


def named(features: np.ndarray) -> dict[str, list[float]]:
    """Return columns by name."""
    return {f"feature{i}": column.tolist() for i, column in enumerate(features.T)}


def reference(rng: np.random.Generator, features: int, rows: int = 10_000) -> Reference:
    """Return a labelled reference."""
    return reference_of(Local.events(rng, "m", rows, features))


def reference_of(table: dict[str, Any]) -> Reference:
    """Return the reference of a body of columns."""
    columns, _ = check(decode("application/json", json.dumps(table).encode()))
    return build(columns, ModelSettings("m"))[0]


def seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """Return the median processor time of some work."""
    took = []
    for _ in range(runs):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return statistics.median(took)
