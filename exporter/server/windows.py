"""What a model server used and waited for, over windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from exporter.config import WindowSpec
from exporter.logbins import LogBins
from exporter.panes import Sums
from exporter.server.server import CONTAINED, Sample
from exporter.usage import Usage

CPU: Final = LogBins(1e-3, 1e4)
"""Cores: the kernel counts CPU time in hundredths of a second."""
MEMORY: Final = LogBins(2.0**16, 2.0**47)
SUMMED: Final = ("seconds", "restarts", *CONTAINED)
"""What is added up over a window: the seconds that were looked at, and counters."""

Quantiles = Mapping[str, float]


@dataclass(frozen=True)
class Used:
    """One window: quantiles by their share, and sums by name."""

    cpu_cores: Quantiles | None
    memory_bytes: Quantiles | None
    held_bytes: Quantiles | None
    sums: Mapping[str, float]


class ServerWindows:
    """Windows of one model server; time is given, never read."""

    def __init__(self, windows: Sequence[WindowSpec], cpus: int, now: float) -> None:
        """``cpus`` is how many the machine has: more cannot be in use."""
        self._cpus = float(cpus)
        self._names = [one.name for one in windows if one.seconds is not None]
        self._cpu = Usage(CPU, windows, now)
        self._memory = Usage(MEMORY, windows, now)
        self._held = Usage(MEMORY, windows, now)
        lengths = {one.name: one.seconds for one in windows if one.seconds is not None}
        self._sums = Sums(len(SUMMED), lengths, now)

    def add(self, sample: Sample, seconds: float | None, now: float) -> None:
        """Take a sample in; the one before was taken ``seconds`` ago, ``None`` for the first."""
        if sample.memory_bytes is not None:
            self._memory.add(sample.memory_bytes, now)
        if sample.held_bytes is not None:
            self._held.add(sample.held_bytes, now)
        if not seconds:
            return
        if sample.cpu_seconds is not None:
            self._cpu.add(min(self._cpus, sample.cpu_seconds / seconds), now)
        growth = {"seconds": seconds, **sample.recent}
        self._sums.add(np.array([growth.get(name, 0.0) for name in SUMMED]), now)

    def used(self, now: float) -> dict[str, Used]:
        """Return what was used in each window that was looked at."""
        cpu, memory, held = (u.quantiles(now) for u in (self._cpu, self._memory, self._held))
        found = {}
        for name in self._names:
            sums, _ = self._sums.window(name, now)
            if sums[0] or name in memory:
                told = dict(zip(SUMMED, sums.tolist(), strict=True))
                found[name] = Used(cpu.get(name), memory.get(name), held.get(name), told)
        return found
