"""What a container may use, used and waited for: control groups of version 2, 1, and both mixed.

Of the limits on CPU and memory the smallest counts, over the group and those of its ancestors that
can be seen; throttling is read where that limit on CPU stands. Names and units of the files:
https://docs.kernel.org/admin-guide/cgroup-v2.html and …/cgroup-v1/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from exporter.server.mounts import UNIFIED, Chain
from exporter.server.procfs import PAGE, read_whole

RESOURCES: Final = ("cpu", "memory", "io")
KINDS: Final = ("some", "full")
UNLIMITED: Final = 2.0**60
"""Version 1 writes "no limit" as the largest multiple of a page."""

Pressure = dict[str, float]
"""Seconds stalled, by ``<resource>_<kind>`` such as ``memory_full``."""


@dataclass
class Container:
    """What was read: values by name, and counters by the folder that they stand in."""

    values: dict[str, float] = field(default_factory=dict)
    counters: dict[str, dict[str, float]] = field(default_factory=dict)

    def count(self, folder: str, **counters: float | None) -> None:
        """Take counters of a folder, those that there are."""
        known = {name: value for name, value in counters.items() if value is not None}
        self.counters.setdefault(folder, {}).update(known)


def container(chains: Mapping[str, Chain], pressure: str = "/proc/pressure") -> Container:
    """Return what the groups in ``chains`` tell.

    Where no group tells of pressure, the machine's is taken, from the folder ``pressure``. What is
    not there has no value; nothing is raised.
    """
    found = Container()
    unified = chains.get(UNIFIED)
    for controller, of_one, of_two in (
        ("cpu", _cpu_1, _cpu_2),
        ("memory", _memory_1, _memory_2),
    ):
        if controller in chains:
            of_one(found, chains[controller])
        elif unified:
            of_two(found, unified)
    if unified and (stalled := _pressure(f"{unified[0]}/{{}}.pressure")):
        found.count(unified[0], **stalled)
        found.values["own_pressure"] = 1.0
    else:
        found.count(pressure, **_pressure(f"{pressure}/{{}}"))
    return found


def _cpu_2(found: Container, chain: Chain) -> None:
    limits = []
    for folder in chain:
        quota, period = [*map(_decimal, _words(f"{folder}/cpu.max")), None, None][:2]
        if quota is not None and period:
            limits.append((quota / period, folder))
    cores, binding = min(limits, default=(None, chain[0]))
    if cores is not None:
        found.values["cpu_limit_cores"] = cores
    stat = _table(f"{binding}/cpu.stat")
    _throttled(found, binding, stat, "throttled_usec", 1e-6)


def _cpu_1(found: Container, chain: Chain) -> None:
    limits = []
    for folder in chain:
        quota, period = (_number(f"{folder}/cpu.cfs_{one}_us") for one in ("quota", "period"))
        if quota is not None and period:
            limits.append((quota / period, folder))
    cores, binding = min(limits, default=(None, chain[0]))
    if cores is not None:
        found.values["cpu_limit_cores"] = cores
    _throttled(found, binding, _table(f"{binding}/cpu.stat"), "throttled_time", 1e-9)


def _throttled(
    found: Container, folder: str, stat: Mapping[str, float], name: str, unit: float
) -> None:
    if name in stat:
        found.count(
            folder,
            cpu_throttled_seconds=stat[name] * unit,
            cpu_periods=stat.get("nr_periods"),
            cpu_throttled_periods=stat.get("nr_throttled"),
        )


def _memory_2(found: Container, chain: Chain) -> None:
    folder = chain[0]
    stat = _table(f"{folder}/memory.stat")
    limits = [limit for one in chain if (limit := _number(f"{one}/memory.max")) is not None]
    _memory(found, _number(f"{folder}/memory.current"), stat.get("inactive_file"), limits)
    _value(found, "swap_bytes", _number(f"{folder}/memory.swap.current"))
    pages = {"swapped_in_bytes": stat.get("pswpin"), "swapped_out_bytes": stat.get("pswpout")}
    swapped = {name: None if n is None else n * PAGE for name, n in pages.items()}
    kills = _table(f"{folder}/memory.events").get("oom_kill")
    found.count(folder, oom_kills=kills, **swapped)


def _memory_1(found: Container, chain: Chain) -> None:
    folder = chain[0]
    stat = _table(f"{folder}/memory.stat")
    told = [_number(f"{one}/memory.limit_in_bytes") for one in chain]
    # This one holds for ancestors that cannot be seen, too.
    told.append(stat.get("hierarchical_memory_limit"))
    limits = [limit for limit in told if limit is not None and limit < UNLIMITED]
    usage = _number(f"{folder}/memory.usage_in_bytes")
    _memory(found, usage, stat.get("total_inactive_file"), limits)
    _value(found, "swap_bytes", stat.get("total_swap"))
    found.count(folder, oom_kills=_table(f"{folder}/memory.oom_control").get("oom_kill"))


def _memory(
    found: Container, usage: float | None, inactive: float | None, limits: list[float]
) -> None:
    # What the kernel can take back at once is no use of memory: as Kubernetes counts it.
    _value(found, "working_set_bytes", usage and max(0.0, usage - (inactive or 0.0)))
    _value(found, "memory_limit_bytes", min(limits, default=None))


def _value(found: Container, name: str, value: float | None) -> None:
    if value is not None:
        found.values[name] = value


def _pressure(path: str) -> Pressure:
    """Return the seconds stalled; ``some``: a task waited, ``full``: all of them did."""
    stalled = {}
    for resource in RESOURCES:
        for line in _lines(path.format(resource)):
            kind, _, rest = line.partition(" ")
            total = _decimal(rest.rpartition("total=")[2])
            if kind in KINDS and total is not None:
                stalled[f"{resource}_{kind}"] = total / 1e6
    return stalled


def _lines(path: str) -> list[str]:
    """Return a file's lines; none of one that is not there."""
    try:
        return read_whole(path).decode("ascii", "replace").splitlines()
    except OSError:
        return []


def _words(path: str) -> list[str]:
    return [word for line in _lines(path)[:1] for word in line.split()]


def _number(path: str) -> float | None:
    """Return the number that a file holds, ``None`` for ``max`` and where there is none."""
    words = _words(path)
    return _decimal(words[0]) if words else None


def _table(path: str) -> dict[str, float]:
    """Return the numbers of a file of names and numbers."""
    table = {}
    for line in _lines(path):
        name, _, number = line.partition(" ")
        if (value := _decimal(number)) is not None:
            table[name] = value
    return table


def _decimal(word: str) -> float | None:
    """Return a number of up to 64 bits, ``None`` for anything else: ``max``, ``-1``, no number."""
    return float(word) if word.isdecimal() and len(word) <= 20 else None
