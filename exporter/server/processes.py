"""What a process and its descendants show at one moment, and what they did in all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from exporter.server.counters import Accumulator, Reading
from exporter.server.family import Family
from exporter.server.procfs import TICKS, Identity, Proc, Stat, Status
from exporter.server.rights import Rights

T = TypeVar("T")

UNIQUE_SECONDS: Final = 30.0
"""How often unique memory is read: the kernel walks all pages of a process for it."""
THREADS_A_SECOND: Final = 50
"""Threads whose context switches are read a second: the more there are, the rarer it is done."""

COUNTED: Final = ("cpu_seconds", "read_bytes", "written_bytes")
"""In all of them the kernel adds a child's to its parent's once it has been waited for."""


@dataclass(frozen=True)
class Shown:
    """One moment of a family: gauges by name, and what was done since the sample before."""

    gauges: dict[str, float]
    cpu_seconds: float | None
    """CPU time since the last sample; ``None`` of a server whose past is not known."""
    peak_above: float
    """By how many bytes the resident memory of one process was higher than now in between."""
    swap: float | None
    """Bytes that lie in swap; ``None`` where the kernel does not tell."""
    pids: frozenset[int] = frozenset()


class Processes:
    """A process and its descendants, sampled again and again; ``skip`` is none of them."""

    def __init__(self, proc: Proc, rights: Rights, skip: int | None = None) -> None:
        self._proc = proc
        self._rights = rights
        self._family = Family(proc, skip)
        self._counters: Accumulator[Identity] = Accumulator(COUNTED, frozenset(COUNTED))
        self._switches: Accumulator[tuple[int, int]] = Accumulator(("context_switches",))
        self._root: Identity | None = None
        self._started = 0.0
        self._peaks: dict[Identity, float] = {}
        self._unique: dict[Identity, float] = {}
        self._switches_due = self._unique_due = float("-inf")

    @property
    def totals(self) -> dict[str, float]:
        """Return the counters, those that could be read."""
        return self._counters.totals | self._switches.totals

    def sample(self, root: Stat, since: float, now: float) -> Shown:
        """Return what ``root`` and its descendants show; the last sample was at uptime ``since``.

        Uptime counts in ticks, as :meth:`Proc.uptime` does; ``now`` is in seconds of any clock.
        """
        members = self._family.members(root)
        living = [one for one in members if not one.zombie]
        status = self._of_each("status", self._proc.status, living)
        recent = self._counters.add(
            {one.identity: self._reading(one, since) for one in members}, self._runs
        )
        self._count_switches(living, status, now)
        known = root.identity == self._root or root.started >= since
        if root.identity != self._root:
            self._root = root.identity
            self._started = self._proc.boot_time() + root.started / TICKS
        swaps = [one.swap for one in status.values() if one.swap is not None]
        return Shown(
            self._gauges(root, living, now),
            recent.get("cpu_seconds", 0.0) if known else None,
            self._peak_above(living, status, since),
            sum(swaps) if swaps else None,
            frozenset(one.pid for one in living),
        )

    def _runs(self, identity: Identity) -> bool:
        stat = self._proc.stat(identity[0])
        return stat is not None and stat.identity == identity

    def _of_each(
        self, what: str, reader: Callable[[int], T], living: Sequence[Stat]
    ) -> dict[Identity, T]:
        """Return what can be read of each process."""
        read = ((one.identity, self._rights.read(what, reader, one.pid)) for one in living)
        return {identity: value for identity, value in read if value is not None}

    def _reading(self, one: Stat, since: float) -> Reading:
        figures = {"cpu_seconds": one.cpu_seconds}
        moved = self._rights.read("reads and writes", self._proc.input_output, one.pid)
        if moved is not None:
            figures["read_bytes"], figures["written_bytes"] = moved
        return Reading(figures, one.pid, one.parent, one.started >= since)

    def _count_switches(
        self, living: Sequence[Stat], status: dict[Identity, Status], now: float
    ) -> None:
        """Count the context switches of every thread: a process's own file tells of its first."""
        if now < self._switches_due:
            return
        self._switches_due = now + sum(one.threads for one in living) / THREADS_A_SECOND - 1
        readings = {}
        for one in living:
            each = None
            if one.threads > 1:
                each = self._rights.read("threads", self._proc.switches, one.pid)
            elif one.identity in status:
                each = {one.pid: status[one.identity].switches}
            for thread, number in (each or {}).items():
                readings[one.started, thread] = Reading({"context_switches": number})
        self._switches.add(readings, lambda _: False)

    def _gauges(self, root: Stat, living: Sequence[Stat], now: float) -> dict[str, float]:
        gauges = {
            "processes": float(len(living)),
            "resident_memory_bytes": float(sum(one.resident for one in living)),
            "threads": float(sum(one.threads for one in living)),
            "start_time_seconds": self._started,
        }
        if files := self._of_each("open files", self._proc.open_files, living):
            gauges["open_fds"] = float(sum(files.values()))
        most = self._rights.read("limit of open files", self._proc.most_files, root.pid)
        if most is not None:
            gauges["max_fds"] = most
        if now >= self._unique_due:
            self._unique_due = now + UNIQUE_SECONDS
            self._unique = self._of_each("unique memory", self._proc.unique_memory, living)
        unique = [self._unique[one.identity] for one in living if one.identity in self._unique]
        if unique:
            gauges["unique_memory_bytes"] = sum(unique)
        return gauges

    def _peak_above(
        self, living: Sequence[Stat], status: dict[Identity, Status], since: float
    ) -> float:
        """Return how far the highest peak since the last sample was above what is resident now.

        The kernel keeps the highest resident memory of each process: where that has risen, it was
        reached since the last sample, however short it was.
        """
        above, peaks = 0.0, {}
        for one in living:
            peak = status[one.identity].peak if one.identity in status else None
            if peak is not None:
                before = 0.0 if one.started >= since else peak
                if peak > self._peaks.get(one.identity, before):
                    above = max(above, peak - one.resident)
                peaks[one.identity] = peak
        self._peaks = peaks
        return above
