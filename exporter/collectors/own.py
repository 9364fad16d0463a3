"""modelmeter itself: what it received and refused, and its own process."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric

from exporter import __version__
from exporter.families import Family
from exporter.ingest.json import FIELDS
from exporter.monitor import Monitor
from exporter.server.counters import Accumulator, Reading
from exporter.server.family import Family as Processes
from exporter.server.procfs import Identity, Proc

REFUSALS: Final = (400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 431, 503)
"""Status codes that requests are refused with."""
CLOSED: Final = (
    "body_timeout", "handshake_timeout", "header_timeout", "idle", "invalid", "limit",
    "write_timeout",
)  # fmt: skip
"""Why connections are closed without an answer."""
BOUNDS: Final = ("max_classes", "max_features", "max_models", "max_series")


@dataclass
class Requests:
    """What became of requests, of connections and of the last reload."""

    refused: Counter[int] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
    reload_successful: bool = True


class Cost:
    """What modelmeter takes of its machine: ``process_*`` leaves out what builds references."""

    def __init__(self) -> None:
        self._proc = Proc()
        self._processes = Processes(self._proc)
        self._cpu: Accumulator[Identity] = Accumulator(("cpu",), frozenset(("cpu",)))

    def read(self) -> tuple[float, float]:
        """Return CPU seconds, which never fall, and resident bytes."""
        root = self._proc.stat(os.getpid())
        members = self._processes.members(root) if root is not None else []
        used = {
            one.identity: Reading({"cpu": one.cpu_seconds}, one.pid, one.parent) for one in members
        }
        self._cpu.add(used, lambda _: False)
        return self._cpu.totals.get("cpu", 0.0), float(sum(one.resident for one in members))


class OwnCollector:
    """Families with the prefix ``modelmeter_``, and ``process_*``."""

    name = "modelmeter"

    def __init__(self, monitor: Monitor, requests: Requests) -> None:
        self._monitor = monitor
        self._requests = requests
        self._process = ProcessCollector(registry=None)
        self._cost = Cost()

    def collect(self) -> Iterable[Family | Metric]:
        """Return what modelmeter tells of itself."""
        build = Family("modelmeter_build_info", "The running version.", "gauge")
        build.add({"version": __version__, "python": platform.python_version()}, 1)
        yield build
        yield from self._events()
        yield from self._refusals()
        yield from self._bounds()
        yield _one(
            "modelmeter_config_last_reload_successful",
            "Whether the last reload of the configuration was successful.",
            "gauge",
            self._requests.reload_successful,
        )
        yield from self._usage()
        yield from self._process.collect()

    def _events(self) -> Iterable[Family]:
        with self._monitor.lock:
            received, clamped = self._monitor.models.received, self._monitor.models.clamped
            rejected = Counter(self._monitor.models.rejected)
        yield _one("modelmeter_events_received_total", "Events received.", "counter", received)
        yield _each(
            "modelmeter_events_rejected_total",
            "Events rejected, by the field at fault.",
            "reason",
            {name: rejected[name] for name in ("event", *FIELDS, *sorted(rejected))},
        )
        yield _one(
            "modelmeter_timestamps_clamped_total",
            "Events dated more than five minutes ahead, taken as of their arrival.",
            "counter",
            clamped,
        )

    def _refusals(self) -> Iterable[Family]:
        yield _each(
            "modelmeter_requests_rejected_total",
            "Requests answered with an error, by status code.",
            "code",
            {
                str(c): self._requests.refused[c]
                for c in (*REFUSALS, *sorted(self._requests.refused))
            },
        )
        yield _each(
            "modelmeter_connections_closed_total",
            "Connections closed without an answer, by reason.",
            "reason",
            {reason: self._requests.closed[reason] for reason in CLOSED},
        )

    def _bounds(self) -> Iterable[Family]:
        with self._monitor.lock:
            dropped = self._monitor.models.over_by_reason()
        yield _each(
            "modelmeter_series_dropped_total",
            "Events (for max_series: series) over a bound: accepted, without series of their own.",
            "reason",
            {name: dropped[name] for name in (*BOUNDS, *sorted(dropped))},
        )

    def _usage(self) -> Iterable[Family]:
        cpu, memory = self._cost.read()
        yield _one(
            "modelmeter_cpu_seconds_total",
            "CPU time used by modelmeter and the processes that it starts, in seconds.",
            "counter",
            cpu,
        )
        yield _one(
            "modelmeter_resident_memory_bytes",
            "Resident memory of modelmeter and the processes that it starts, in bytes.",
            "gauge",
            memory,
        )


def _one(name: str, help: str, type: str, value: float) -> Family:
    family = Family(name, help, "counter" if type == "counter" else "gauge")
    family.add({}, value)
    return family


def _each(name: str, help: str, label: str, values: dict[str, int]) -> Family:
    family = Family(name, help, "counter")
    for key, value in values.items():
        family.add({label: key}, value)
    return family
