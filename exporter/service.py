"""The service behind the routes: settings that can be reloaded, the monitor, and the scraper.

Routes know this and nothing deeper; ``app`` builds it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from exporter import ledger
from exporter.collectors.anomalies import AnomaliesCollector
from exporter.collectors.decisions import DecisionsCollector
from exporter.collectors.own import OwnCollector, Requests
from exporter.collectors.store import StoreCollector
from exporter.collectors.totals import TotalsCollector
from exporter.collectors.windows import WindowsCollector
from exporter.config import ConfigError, Settings
from exporter.environment import Beside
from exporter.intake import Moment
from exporter.ledger import Body, Disk, DiskError, Ledger
from exporter.monitor import Monitor
from exporter.rate import RateLimit
from exporter.reference.reference import Reference
from exporter.reference_store import ReferenceStore
from exporter.restore import Stopped, restore
from exporter.scrape import Collector, Scraper

log = logging.getLogger("modelmeter")

SWEEP_SECONDS: Final = 10.0
"""How often idle models are looked for."""


@dataclass(frozen=True)
class Clock:
    """The time: seconds that never step, and Unix seconds that may."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]
    forward: Callable[[float], None] = lambda now: None
    """Sets the first clock forward to a time, if it is behind it."""

    def moment(self) -> Moment:
        """Return the time on both clocks."""
        return Moment(self.monotonic(), self.wall())


class TooFast(Exception):
    """More events than the configured rate; ``retry_after`` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("more events than max_events_per_second")
        self.retry_after = retry_after


@dataclass
class Service:
    """All parts of a running modelmeter."""

    settings: Settings
    clock: Clock
    read_settings: Callable[[], Settings] | None = None
    more_collectors: Sequence[Collector] = ()
    disk: Disk | None = None
    beside: Sequence[Beside] = ()
    """What is sampled beside it: the model server, GPUs."""
    requests: Requests = field(default_factory=Requests)
    stopping: bool = False
    failed: bool = False
    """Whether it had to stop for want of its state."""
    restoring: bool = False
    """Whether the state is still being brought back from disk."""

    def __post_init__(self) -> None:
        self.monitor = Monitor(self.settings)
        self.ledger = Ledger(self.monitor, self.clock.moment, self.disk)
        self.rate = RateLimit(self.settings.max_events_per_second)
        self._reloading = threading.Lock()
        self._swept = -math.inf
        now = self.clock.monotonic
        self.references = ReferenceStore(self.monitor, self.ledger)
        self._configured = self.references.configured(self.settings)
        if self.disk is None:
            self.ledger.configure(self.settings, self._configured)
        self.restoring = self.disk is not None
        self.scraper = Scraper(
            [
                WindowsCollector(self.monitor, now),
                TotalsCollector(self.monitor, now),
                AnomaliesCollector(self.monitor),
                DecisionsCollector(self.monitor),
                *self.more_collectors,
                OwnCollector(self.monitor, self.requests),
                *([] if self.disk is None else [StoreCollector(self.ledger, self.disk)]),
            ],
            lambda: self.settings.max_series,
            self._series_dropped,
        )

    def read(self, media_type: str, content: bytes, model: str | None, key: bytes | None) -> Body:
        """Return a body's events; raises ``BodyError`` and :class:`TooFast`.

        ``model`` names the model of events that name none.
        """
        body = ledger.read(media_type, content, model or self.settings.single_model, key)
        wait = self.rate.take(body.raw.size, self.clock.monotonic())
        if wait > 0:
            raise TooFast(wait)
        return body

    def restore(self) -> None:
        """Bring the state back from disk, and save it anew; may take long.

        Told to stop, it stays as it was. Raises ``OSError``.
        """
        if self.disk is None:
            return
        try:
            found = restore(self.ledger, self.monitor, self.disk.folder, lambda: self.stopping)
        except Stopped:
            log.info("stopped before the state was back: on disk all is as it was")
            return
        if found.now is not None:
            # Time goes on from where it was: a clock that was set back is no reason to count anew.
            self.clock.forward(found.now)
        self.ledger.begin(self.settings, self._configured)
        if self.disk.journals:
            self.ledger.save()
        else:
            self.disk.folder.go_beyond()
        self.monitor.tick(self.clock.monotonic())
        self.restoring = False
        models, pending = len(self.monitor.models), self.monitor.models.store.table.used
        log.info(
            "state restored",
            extra={"models": models, "ids": pending, "operations": found.operations},
        )

    def tick(self) -> None:
        """Do what is due."""
        if self.restoring:
            return
        now = self.clock.monotonic()
        self.monitor.tick(now)
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            # Where the disk refuses, they go later.
            with contextlib.suppress(DiskError):
                self.ledger.forget_idle()

    def close(self) -> None:
        """Save what is to be kept, and let go of the disk."""
        if not self.restoring:
            self.monitor.tick(self.clock.monotonic())
            self.ledger.save()
        if self.disk is not None:
            # Where that cannot be noted, counters begin anew after a loss of power.
            with contextlib.suppress(OSError):
                self.disk.folder.at_rest()
            self.disk.folder.close()

    def reload(self) -> None:
        """Read the settings anew; raises ``ConfigError`` or DiskError, and the old ones stay."""
        if self.read_settings is None:
            return
        with self._reloading:
            try:
                settings = self.read_settings()
                self._apply(settings, self.references.configured(settings))
            except (ConfigError, DiskError) as error:
                self.requests.reload_successful = False
                log.error("configuration not reloaded, the old one stays: %s", error)
                raise

    def _apply(self, settings: Settings, references: Mapping[str, Reference]) -> None:
        for key in (
            "listen_address", "model_server", "model_servers", "gpu", "data_dir", "durability",
        ):  # fmt: skip
            if getattr(settings, key) != getattr(self.settings, key):
                log.warning("%s has changed: that needs a restart", key)
        self.ledger.configure(settings, references)
        self.settings = settings
        for one in self.beside:
            one.configure(settings)
        self.rate = RateLimit(settings.max_events_per_second)
        self.requests.reload_successful = True
        log.info("configuration reloaded")

    def _series_dropped(self, count: int) -> None:
        with self.monitor.lock:
            self.monitor.models.dropped["max_series"] += count
