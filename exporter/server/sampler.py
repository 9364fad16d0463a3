"""A thread that samples the model servers, far more often than anything is scraped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from exporter.config import Settings
from exporter.environment import Facts
from exporter.server.facts import facts
from exporter.server.rights import named
from exporter.server.server import Sample, Server
from exporter.server.state import State
from exporter.server.windows import ServerWindows

log = logging.getLogger("modelmeter.model_server")

STALE_INTERVALS: Final = 5
STALE_SECONDS: Final = 5.0
"""A sample older than so many intervals, and so many seconds, says nothing about now."""
END_SECONDS: Final = 1.0
"""How long a sample that is under way at the end is waited for."""


class _Watched:
    """One model server, its last sample and its windows."""

    def __init__(self, server: Server, settings: Settings, cpus: int, now: float) -> None:
        self.server = server
        self.windows = ServerWindows(settings.windows, cpus, now)
        self.sample: Sample | None = None
        self.taken: float | None = None
        self.wall = 0.0
        self.failing = False


class Sampler:
    """Samples ``servers`` every ``sample_interval``; ``clock`` never steps, ``wall`` may."""

    def __init__(
        self,
        servers: Sequence[Server],
        settings: Settings,
        clock: Callable[[], float],
        wall: Callable[[], float],
        cpus: int,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._wall = wall
        self._cpus = cpus
        self._watched = [_Watched(server, settings, cpus, clock()) for server in servers]
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sample", daemon=True)

    def start(self) -> None:
        """Take the first sample at once, and go on in a thread."""
        self._thread.start()

    def end(self) -> None:
        """End, and wait for that but shortly: a file may take any time to be read."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)

    def configure(self, settings: Settings) -> None:
        """Take another interval; if the windows are others, they start anew."""
        with self._lock:
            if settings.windows != self._settings.windows:
                for one in self._watched:
                    one.windows = ServerWindows(settings.windows, self._cpus, self._clock())
            self._settings = settings

    def sample(self) -> None:
        """Sample every server once; a failure is logged, and costs this sample alone."""
        for one in self._watched:
            now = self._clock()
            try:
                sample = one.server.sample(now)
            except Exception:
                if not one.failing:
                    log.exception(
                        "the model server cannot be sampled", extra=named(one.server.name)
                    )
                one.failing = True
                continue
            with self._lock:
                one.windows.add(sample, None if one.taken is None else now - one.taken, now)
                one.sample, one.taken, one.wall, one.failing = sample, now, self._wall(), False

    def states(self, now: float) -> list[State]:
        """Return what is known of each server at ``now``."""
        with self._lock:
            stale = max(STALE_SECONDS, STALE_INTERVALS * self._settings.sample_interval)
            return [
                State(
                    one.server.name,
                    one.sample,
                    one.wall,
                    one.taken is not None and now - one.taken <= stale,
                    one.windows.used(now),
                )
                for one in self._watched
            ]

    def pids(self) -> frozenset[int]:
        """Return the processes of all servers, as they were sampled last."""
        with self._lock:
            samples = [one.sample.pids for one in self._watched if one.sample]
        return frozenset().union(*samples)

    def facts(self, now: float) -> Facts:
        """Return what the servers used and waited for, and what of that stands out."""
        return facts(self.states(now))

    def _run(self) -> None:
        while True:
            begun = self._clock()
            self.sample()
            took = self._clock() - begun
            # Where a sample takes long, half of the time is still left to others.
            if self._ending.wait(max(self._settings.sample_interval - took, took)):
                return
