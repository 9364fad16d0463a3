"""The model server beside us as it was sampled last: ``model_server_*``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from exporter.families import Family, Type
from exporter.server.sampler import Sampler
from exporter.server.server import STALLS
from exporter.server.state import State

UP: Final = "Whether the model server's process is found (1) or not (0)."
SAMPLED: Final = "When the model server was sampled last, in seconds since the epoch."
COUNTERS: Final = {
    "restarts": "Times that another process was found in place of the model server's last one.",
    "cpu_seconds": "CPU time used by the model server and its children, in seconds.",
    "read_bytes": "Bytes that the model server and its children had read from storage.",
    "written_bytes": "Bytes that the model server and its children had written to storage.",
    "context_switches": "Context switches of the model server and its children, in all threads.",
    "cpu_throttled_seconds": "Time that its limit took the CPU from the model server, in seconds.",
    "cpu_periods": "Periods in which the limit on the model server's CPU was enforced.",
    "cpu_throttled_periods": "Periods in which the model server's CPU was taken away by its limit.",
    "oom_kills": "Processes killed in the model server's container for want of memory.",
}
GAUGES: Final = {
    "processes": "Processes of the model server: its own and its children.",
    "resident_memory_bytes": "Resident memory of the model server and its children, in bytes.",
    "unique_memory_bytes": "Memory that no other process shares, in bytes; read every 30 s.",
    "working_set_bytes": "Memory of its container without what can be reclaimed at once, in bytes.",
    "swap_bytes": "What the model server has in swap, in bytes.",
    "threads": "Threads of the model server and its children.",
    "open_fds": "Open file descriptors of the model server and its children.",
    "max_fds": "File descriptors that the model server's process may open.",
    "start_time_seconds": "When the model server's process started, in seconds since the epoch.",
    "cpu_limit_cores": "Cores that the model server's container may use.",
    "memory_limit_bytes": "Memory that the model server's container may use, in bytes.",
}
PRESSURE: Final = "Time that some or all tasks of the model server's container waited, in seconds."
WINDOWS: Final = {
    "cpu_usage_cores": "Cores in use in samples of this window.",
    "memory_usage_bytes": "Memory in use in samples of this window, in bytes.",
}


class ModelServerCollector:
    """Families of the last samples; nothing is read at a scrape."""

    name = "model_server"

    def __init__(self, sampler: Sampler, clock: Callable[[], float]) -> None:
        self._sampler = sampler
        self._clock = clock
        self.degraded = False
        """Whether something could not be read for want of rights."""

    def collect(self) -> Iterator[Family]:
        """Return what is known; gauges are absent of a server that is not found, or not sampled.

        Counters keep their last value; one is absent where it could never be read.
        """
        states = self._sampler.states(self._clock())
        self.degraded = any(state.sample and state.sample.lacking for state in states)
        yield _family("up", UP, "gauge", [(one, one.up) for one in states])
        yield _family(
            "last_sample_timestamp_seconds",
            SAMPLED,
            "gauge",
            [(one, one.at if one.sample else None) for one in states],
        )
        for name, help_ in COUNTERS.items():
            yield _family(f"{name}_total", help_, "counter", [(s, _total(s, name)) for s in states])
        for name, help_ in GAUGES.items():
            yield _family(name, help_, "gauge", [(s, s.gauges.get(name)) for s in states])
        yield _pressure(states)
        yield from _windows(states)


def _family(
    name: str, help_: str, type_: Type, values: Sequence[tuple[State, float | None]]
) -> Family:
    family = Family(f"model_server_{name}", help_, type_, None)
    for state, value in values:
        if value is not None:
            family.add(_labels(state), value)
    return family


def _labels(state: State, **more: str) -> dict[str, str]:
    return ({"server": state.name} if state.name else {}) | more


def _total(state: State, name: str) -> float | None:
    return state.sample.totals.get(name) if state.sample else None


def _pressure(states: Sequence[State]) -> Family:
    family = Family("model_server_pressure_seconds_total", PRESSURE, "counter", None)
    for state in states:
        for stall in STALLS:
            if (value := _total(state, stall)) is not None:
                resource, kind = stall.split("_")
                family.add(_labels(state, resource=resource, kind=kind), value)
    return family


def _windows(states: Sequence[State]) -> Iterator[Family]:
    families = {
        name: Family(f"model_server_{name}", help_, "summary", None)
        for name, help_ in WINDOWS.items()
    }
    for state in states:
        for window, used in state.windows.items():
            shown = {"cpu_usage_cores": used.cpu_cores, "memory_usage_bytes": used.memory_bytes}
            for name, quantiles in shown.items():
                for share, value in (quantiles or {}).items():
                    families[name].add(_labels(state, window=window, quantile=share), value)
    yield from families.values()
