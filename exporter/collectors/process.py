"""The model server's process beside us, its children folded in: ``model_server_*``."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from exporter.collectors.processes import find
from exporter.config.settings import ModelServerSettings

log = logging.getLogger("modelmeter.model_server")

Sample = dict[str, float]
Samples = dict[psutil.Process, Sample]
"""By process: psutil compares them by id and time of creation, since ids are used again."""

COUNTERS: Final = {
    "cpu_seconds": "CPU time used by the model server and its children, in seconds.",
    "read_bytes": "Bytes that the model server and its children had read from storage.",
    "written_bytes": "Bytes that the model server and its children had written to storage.",
    "context_switches": "Context switches of the model server and its children.",
}
SUMS: Final = {
    "resident_memory_bytes": "Resident memory of the model server and its children, in bytes.",
    "threads": "Threads of the model server and its children.",
    "open_fds": "Open file descriptors of the model server and its children.",
}
FIRST: Final = {
    "max_fds": "File descriptors that the model server's process may open.",
    "start_time_seconds": "When the model server's process started, in seconds since the epoch.",
}
UP: Final = "Whether the model server's process is found (1) or not (0)."
RESTARTS: Final = "Times that another process was found in place of the model server's last one."
PROCESSES: Final = "Processes of the model server: its own and its children."


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _switches(process: psutil.Process) -> float:
    switches = process.num_ctx_switches()
    return switches.voluntary + switches.involuntary


def _max_fds(process: psutil.Process) -> float | None:
    soft, _ = process.rlimit(psutil.RLIMIT_NOFILE)
    return None if soft == psutil.RLIM_INFINITY else soft


READERS: Final[dict[str, Callable[[psutil.Process], float | None]]] = {
    "cpu_seconds": _cpu,
    "read_bytes": lambda process: process.io_counters().read_bytes,
    "written_bytes": lambda process: process.io_counters().write_bytes,
    "context_switches": _switches,
    "resident_memory_bytes": lambda process: process.memory_info().rss,
    "threads": lambda process: process.num_threads(),
    "open_fds": lambda process: process.num_fds(),
    "max_fds": _max_fds,
    "start_time_seconds": lambda process: process.create_time(),
}


@dataclass
class Accumulator:
    """Counters over processes that come and go: each adds what it did since it was seen last."""

    totals: Sample = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0.0))
    read: set[str] = field(default_factory=set)
    seen: Samples = field(default_factory=dict)

    def add(self, samples: Samples) -> None:
        """Add every process's growth; one seen first adds all it did, one gone takes nothing.

        What is out of sight but still runs is remembered, so that its past is never added twice.
        """
        for process, sample in samples.items():
            before = self.seen.get(process, {})
            for name in self.totals.keys() & sample.keys():
                self.totals[name] += max(0.0, sample[name] - before.get(name, 0.0))
                self.read.add(name)
        elsewhere = {p: s for p, s in self.seen.items() if p not in samples and _runs(p)}
        self.seen = elsewhere | {p: self.seen.get(p, {}) | s for p, s in samples.items()}


class ModelServerCollector:
    """Reads the process that ``settings`` describe, whichever it is at the time of a scrape."""

    name = "model_server"

    def __init__(self, settings: ModelServerSettings) -> None:
        self._target = settings
        self._process: psutil.Process | None = None
        self._last: psutil.Process | None = None
        self._restarts = 0
        self._counters = Accumulator()
        self._denied: set[str] = set()
        self.degraded = False
        """Whether some of it could not be read when it was last collected."""

    def collect(self) -> Iterator[Metric]:
        """Return the families of this moment; gauges are absent while no process is found.

        A counter is absent only where it was never allowed to be read.
        """
        self.degraded = False
        samples = self._sample_family()
        self._counters.add(samples)
        yield GaugeMetricFamily("model_server_up", UP, value=float(bool(samples)))
        yield CounterMetricFamily("model_server_restarts", RESTARTS, value=self._restarts)
        for name, help_ in COUNTERS.items():
            if name in self._counters.read or name not in self._denied:
                total = self._counters.totals[name]
                yield CounterMetricFamily(f"model_server_{name}", help_, value=total)
        if self._process is not None and samples:
            yield GaugeMetricFamily("model_server_processes", PROCESSES, value=len(samples))
            yield from _gauges(SUMS, _sums(samples.values()))
            yield from _gauges(FIRST, samples[self._process])

    def _sample_family(self) -> Samples:
        """Return what the model server and its children show; nothing when it is not running."""
        self._follow()
        if self._process is None:
            return {}
        samples = {}
        for process in _family(self._process):
            sample = self._sample(process)
            if sample is not None:
                samples[process] = sample
        return samples if self._process in samples else {}

    def _follow(self) -> None:
        """Keep the known process while it runs; look for it, or the next one, when it does not.

        A pid file is read every time, since a server may hand over to another one and live on.
        """
        if self._process is None or self._target.pid_file is not None or not _runs(self._process):
            self._process = self._find()
        if self._process is None:
            return
        if self._last not in (None, self._process):
            self._restarts += 1
            log.info("the model server is another process now", extra={"pid": self._process.pid})
        self._last = self._process

    def _find(self) -> psutil.Process | None:
        try:
            return find(self._target)
        except psutil.AccessDenied as error:
            self._deny("process", error.msg or "")
            return None

    def _sample(self, process: psutil.Process) -> Sample | None:
        """Return what may be read of a process, None when it is gone."""
        sample: Sample = {}
        try:
            with process.oneshot():
                if not _runs(process):
                    return None
                for name, read in READERS.items():
                    value = self._read(process, name, read)
                    if value is not None:
                        sample[name] = float(value)
        except psutil.NoSuchProcess:
            return None
        return sample

    def _read(
        self, process: psutil.Process, name: str, read: Callable[[psutil.Process], float | None]
    ) -> float | None:
        try:
            return read(process)
        except (psutil.AccessDenied, OSError, NotImplementedError, AttributeError) as error:
            self._deny(name, str(error))
            return None

    def _deny(self, name: str, reason: str) -> None:
        """Show that something of the model server cannot be read, and log it once."""
        self.degraded = True
        if name not in self._denied:
            self._denied.add(name)
            log.warning("cannot read the model server's %s", name, extra={"reason": reason})


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and its descendants, this very process left out."""
    try:
        children = process.children(recursive=True)
    except psutil.Error:
        children = []
    return [process, *(child for child in children if child.pid != os.getpid())]


def _sums(samples: Iterable[Sample]) -> Sample:
    """Return the sum over processes of what at least one of them showed."""
    sums: Sample = {}
    for sample in samples:
        for name in SUMS.keys() & sample.keys():
            sums[name] = sums.get(name, 0.0) + sample[name]
    return sums


def _gauges(helps: dict[str, str], values: Sample) -> Iterator[Metric]:
    for name, help_ in helps.items():
        if name in values:
            yield GaugeMetricFamily(f"model_server_{name}", help_, value=values[name])
