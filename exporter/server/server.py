"""One model server beside us: found, followed through restarts, and sampled with its container."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from exporter.config.settings import ModelServerSettings
from exporter.server.cgroup import KINDS, RESOURCES, Container, container
from exporter.server.counters import Accumulator, Reading
from exporter.server.find import Hidden, find, left
from exporter.server.mounts import Chain, chains
from exporter.server.processes import Processes
from exporter.server.procfs import Identity, Proc, Stat
from exporter.server.rights import Rights, named

log = logging.getLogger("modelmeter.model_server")

LOOK_SECONDS: Final = 2.0
"""How often a server that is away is looked for: every process or socket has to be looked at."""
MOVED_SECONDS: Final = 30.0
"""How often it is looked whether the server is in another group, or has left its port."""

STALLS: Final = tuple(f"{resource}_{kind}" for resource in RESOURCES for kind in KINDS)
CONTAINED: Final = (
    "cpu_throttled_seconds", "cpu_periods", "cpu_throttled_periods", "oom_kills",
    "swapped_in_bytes", "swapped_out_bytes", *STALLS,
)  # fmt: skip
"""Counters that a container has, beside those of its processes."""


READ_WITH: Final = {
    "cpu_seconds": "process",
    "read_bytes": "reads and writes",
    "written_bytes": "reads and writes",
    "context_switches": "threads",
}
"""Counters that begin at 0 where nothing is found yet, and what they are read with."""


@dataclass(frozen=True)
class Sample:
    """What a model server showed at one moment; what could not be read has no entry."""

    up: bool
    gauges: Mapping[str, float]
    totals: Mapping[str, float]
    """Counters since the processes began, or since they were first seen."""
    recent: Mapping[str, float] = field(default_factory=dict)
    """By how much counters are known to have grown since the last sample."""
    cpu_seconds: float | None = None
    """CPU time since the last sample; ``None`` of a server whose past is not known."""
    memory_bytes: float | None = None
    """The highest resident memory since the last sample."""
    held_bytes: float | None = None
    """Likewise what counts against the limit: the container's working set, where that is known."""
    lacking: frozenset[str] = frozenset()
    """What could not be read for want of rights."""
    pids: frozenset[int] = frozenset()
    """Its processes that run."""


class Server:
    """A model server that is looked for as ``target`` says; ``name`` is empty for the only one."""

    def __init__(
        self,
        name: str,
        target: ModelServerSettings,
        proc: Proc | None = None,
        root: str = "/",
        find: Callable[[ModelServerSettings], int | None] = find,
    ) -> None:
        """``root`` is where the machine's own mount points begin."""
        self.name = name
        self._target = target
        self._proc = proc or Proc()
        self._at_root = root
        self._find = find
        self._rights = Rights(name)
        self._processes = Processes(self._proc, self._rights, skip=os.getpid())
        self._groups: Accumulator[str] = Accumulator(CONTAINED)
        self._uptime = math.inf  # What runs at the first sample began before it.
        self._known: Identity | None = None
        self._last: Identity | None = None
        self._hidden = False
        self._restarts = 0
        self._look_due = -math.inf
        self._port_due = -math.inf
        self._chains: Mapping[str, Chain] | None = None
        self._chains_of: Identity | None = None
        self._chains_due = -math.inf

    def sample(self, now: float) -> Sample:
        """Return what it shows; ``now`` is in seconds of any clock that does not go back."""
        self._rights.begin()
        since, self._uptime = self._uptime, self._proc.uptime()
        restarts = self._restarts
        stat = self._follow(now)
        shown = None if stat is None else self._processes.sample(stat, since, now)
        held = self._contained(stat, now)
        recent = self._groups.add(
            {folder: Reading(figures) for folder, figures in held.counters.items()}, os.path.isdir
        )
        recent["restarts"] = float(self._restarts - restarts)
        if shown is None:
            return Sample(self._hidden, {}, self._totals(), recent, lacking=self._lacking())
        gauges = held.values | shown.gauges
        if "swap_bytes" not in gauges and shown.swap is not None:
            gauges["swap_bytes"] = shown.swap
        resident = gauges["resident_memory_bytes"]
        return Sample(
            True,
            gauges,
            self._totals(),
            recent,
            shown.cpu_seconds,
            resident + shown.peak_above,
            gauges.get("working_set_bytes", resident) + shown.peak_above,
            self._lacking(),
            shown.pids,
        )

    def _totals(self) -> dict[str, float]:
        unread = {name for name, what in READ_WITH.items() if what not in self._rights.refused}
        return {
            "restarts": float(self._restarts),
            **dict.fromkeys(unread, 0.0),
            **self._processes.totals,
            **self._groups.totals,
        }

    def _lacking(self) -> frozenset[str]:
        return frozenset(self._rights.lacking)

    def _follow(self, now: float) -> Stat | None:
        """Keep the known process while it runs; look for it, or the next one, when it does not.

        A pid file is read every time, since a server may hand over to another one and live on.
        """
        stat = None if self._known is None else self._alive(self._known[0])
        if stat is None or stat.identity != self._known or self._target.pid_file is not None:
            stat = self._look(now)
        elif self._target.port is not None and now >= self._port_due:
            self._port_due = now + MOVED_SECONDS
            stat = self._listening(stat, self._target.port, now)
        self._known = None if stat is None else stat.identity
        if stat is not None and self._last not in (None, stat.identity):
            self._restarts += 1
            told = {**named(self.name), "pid": stat.pid}
            log.info("the model server is another process now", extra=told)
        self._last = self._known or self._last
        return stat

    def _listening(self, stat: Stat, port: int, now: float) -> Stat | None:
        """Return who listens in place of the known process, which is kept where nobody does.

        A server may leave its port to the next one, and live on until its last requests are done.
        """
        if not left(port, stat.pid):
            return stat
        found = self._look(now)
        return stat if found is None and not self._hidden else found

    def _look(self, now: float) -> Stat | None:
        """Return the process that is found: looked for at once when the last one has ended."""
        costly = self._target.pid is None and self._target.pid_file is None
        if costly and self._known is None and now < self._look_due:
            return None
        self._look_due = now + LOOK_SECONDS
        self._rights.tries("process")
        self._hidden = False
        try:
            pid = self._find(self._target)
        except Hidden as error:
            self._rights.deny("process", str(error))
            self._hidden = True
            return None
        return None if pid is None else self._alive(pid)

    def _alive(self, pid: int) -> Stat | None:
        stat = self._proc.stat(pid)
        return None if stat is None or stat.zombie else stat

    def _contained(self, stat: Stat | None, now: float) -> Container:
        """Return what its groups tell: after its end, too, as long as they are there.

        When the kernel kills a server for want of memory, its group tells so.
        """
        if stat is not None and (now >= self._chains_due or stat.identity != self._chains_of):
            self._chains_due, self._chains_of = now + MOVED_SECONDS, stat.identity
            self._chains = self._find_groups(stat.pid)
        if self._chains is None:
            return Container()
        return container(self._chains, f"{self._proc.folder}/pressure")

    def _find_groups(self, pid: int) -> Mapping[str, Chain]:
        self._rights.tries("container")
        try:
            return chains(self._proc.folder, self._at_root, pid)
        except PermissionError as error:
            self._rights.deny("container", str(error))
        except (OSError, ValueError, LookupError):
            pass  # It has just ended, or this kernel has no groups.
        return {}
