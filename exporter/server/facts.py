"""Windows of the model servers as plain objects, and what in them would make a model slow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from exporter.environment import Facts
from exporter.server.state import State
from exporter.server.windows import Used

THROTTLED: Final = 0.05
"""Share of the CPU's periods in which it was taken away, from which on it is told."""
NEAR: Final = 0.9
"""Share of a limit, from which on it is told."""
STALLED: Final = {"cpu_some": 0.2, "memory_some": 0.05, "io_some": 0.1}
"""Share of the time that tasks waited, from which on it is told: short waits for CPU are usual."""
WAITED: Final = {"cpu": "CPU", "memory": "memory", "io": "storage"}


def facts(states: Sequence[State]) -> Facts:
    """Return what is known of each server, and its findings, the shortest window first."""
    findings = [
        f"{f'{state.name}, ' if state.name else ''}{window}: {finding}"
        for state in states
        for window, used in state.windows.items()
        for finding in _findings(used, state)
    ]
    return Facts({"servers": [_server(state) for state in states]}, findings)


def _server(state: State) -> dict[str, Any]:
    gauges = state.gauges
    return {
        "server": state.name or None,
        "up": state.up,
        "cpu_limit_cores": gauges.get("cpu_limit_cores"),
        "memory_limit_bytes": gauges.get("memory_limit_bytes"),
        "swap_bytes": gauges.get("swap_bytes"),
        "pressure_of": "container" if gauges.get("own_pressure") else "machine",
        "windows": {name: _window(used, state) for name, used in state.windows.items()},
    }


def _window(used: Used, state: State) -> dict[str, Any]:
    gauges = state.gauges
    known = {"restarts"} | (state.sample.totals.keys() if state.sample else set())
    sums = {name: value for name, value in used.sums.items() if name in known}
    return {
        "seconds": used.sums["seconds"],
        "cpu_usage_cores": used.cpu_cores,
        "cpu_usage_limit_ratio": _shares(used.cpu_cores, gauges.get("cpu_limit_cores")),
        "cpu_throttled_seconds": sums.get("cpu_throttled_seconds"),
        "cpu_throttled_periods_ratio": _throttled(used),
        "memory_usage_bytes": used.memory_bytes,
        "memory_usage_limit_ratio": _shares(used.held_bytes, gauges.get("memory_limit_bytes")),
        "swapped_in_bytes": sums.get("swapped_in_bytes"),
        "swapped_out_bytes": sums.get("swapped_out_bytes"),
        "pressure_ratio": {
            name: _ratio(sums[name], used.sums["seconds"])
            for name in sums
            if name.endswith(("_some", "_full"))
        },
        "oom_kills": sums.get("oom_kills"),
        "restarts": sums["restarts"],
    }


def _shares(quantiles: Mapping[str, float] | None, limit: float | None) -> dict[str, float] | None:
    if quantiles is None or not limit:
        return None
    return {share: value / limit for share, value in quantiles.items()}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _throttled(used: Used) -> float | None:
    return _ratio(used.sums["cpu_throttled_periods"], used.sums["cpu_periods"])


def _findings(used: Used, state: State) -> Iterator[str]:
    sums, gauges = used.sums, state.gauges
    throttled = _throttled(used)
    if throttled is not None and throttled >= THROTTLED:
        waited = sums["cpu_throttled_seconds"]
        yield (
            f"CPU throttled in {throttled:.0%} of its periods ({sums['cpu_throttled_periods']:.0f} "
            f"of {sums['cpu_periods']:.0f}), {waited:.1f} s in all"
        )
    yield from _near("CPU", used.cpu_cores, "0.95", gauges.get("cpu_limit_cores"), "cores", 1)
    memory_limit = gauges.get("memory_limit_bytes")
    yield from _near("memory", used.held_bytes, "1.0", memory_limit, "MiB", 2**20)
    for stall, least in STALLED.items():
        share = _ratio(sums[stall], sums["seconds"])
        if share is not None and share >= least:
            resource = stall.partition("_")[0]
            full = _ratio(sums[f"{resource}_full"], sums["seconds"]) or 0.0
            yield (
                f"tasks waited for {WAITED[resource]} {share:.0%} of the time, "
                f"all of them at once {full:.0%}"
            )
    if sums["swapped_in_bytes"]:
        yield f"{sums['swapped_in_bytes'] / 2**20:.1f} MiB read back from swap"
    if sums["oom_kills"]:
        yield f"{_times(sums['oom_kills'], 'OOM kill')}"
    if sums["restarts"]:
        yield f"{_times(sums['restarts'], 'restart')}"


def _near(
    what: str,
    quantiles: Mapping[str, float] | None,
    share: str,
    limit: float | None,
    unit: str,
    size: int,
) -> Iterator[str]:
    """Tell of a use near its limit: the highest of memory, the usual high of CPU."""
    if quantiles is None or not limit or quantiles[share] < NEAR * limit:
        return
    used = quantiles[share]
    when = "peaked" if share == "1.0" else "p95"
    yield (
        f"{what} {when} at {used / limit:.0%} of its limit "
        f"({used / size:.4g} of {limit / size:.4g} {unit})"
    )


def _times(number: float, what: str) -> str:
    return f"{number:.0f} {what}{'' if number == 1 else 's'}"
