"""The service behind the routes: settings that can be reloaded, the monitor, and the scraper.

Routes know this and nothing deeper; ``app`` builds it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.collectors.anomalies import AnomaliesCollector
from exporter.collectors.decisions import DecisionsCollector
from exporter.collectors.own import OwnCollector, Requests
from exporter.collectors.totals import TotalsCollector
from exporter.collectors.windows import WindowsCollector
from exporter.config import ConfigError, Settings
from exporter.events import Rejection
from exporter.ingest import Raw, decode, together
from exporter.ingest.columns import Columns, check
from exporter.intake import Moment, Outcome, apart
from exporter.monitor import Monitor
from exporter.rate import RateLimit
from exporter.reference.reference import Reference
from exporter.reference_store import ReferenceStore
from exporter.scrape import Collector, Scraper

log = logging.getLogger("modelmeter")


Checked = tuple[Columns, list[Rejection], list[int]]
"""Good events of bodies put together, why the others are not, and how many each body held."""


@dataclass(frozen=True)
class Clock:
    """The time: seconds that never step, and Unix seconds that may."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]

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
    requests: Requests = field(default_factory=Requests)
    stopping: bool = False

    def __post_init__(self) -> None:
        self.monitor = Monitor(self.settings)
        self.rate = RateLimit(self.settings.max_events_per_second)
        self._reloading = threading.Lock()
        now = self.clock.monotonic
        self.references = ReferenceStore(self.monitor, now)
        self.monitor.models.references.configured = self.references.configured(self.settings)
        self.scraper = Scraper(
            [
                WindowsCollector(self.monitor, now),
                TotalsCollector(self.monitor, now),
                AnomaliesCollector(self.monitor),
                DecisionsCollector(self.monitor),
                *self.more_collectors,
                OwnCollector(self.monitor, self.requests),
            ],
            lambda: self.settings.max_series,
            self._series_dropped,
        )

    def read(self, media_type: str, body: bytes, model: str | None) -> Raw:
        """Return the events of a body; raises ``BodyError`` and :class:`TooFast`.

        ``model`` names the model of events that name none.
        """
        raw = decode(media_type, body)
        wait = self.rate.take(raw.size, self.clock.monotonic())
        if wait > 0:
            raise TooFast(wait)
        default = model or self.settings.single_model
        if default is not None:
            named = raw.fields.get("model", [None] * len(raw.at))
            raw.fields["model"] = [default if name is None else name for name in named]
        return raw

    def check(self, raws: Sequence[Raw]) -> list[Checked]:
        """Return the events of bodies, checked, put together where that can be."""
        groups = [raws] if all(raw.by_row for raw in raws) else [[raw] for raw in raws]
        return [(*check(together(group)), [raw.size for raw in group]) for group in groups]

    def count(self, groups: Sequence[Checked]) -> list[Outcome]:
        """Count the events of checked bodies; return what became of each body.

        Whoever calls this holds the monitor's lock.
        """
        at = self.clock.moment()
        return [
            outcome
            for columns, rejected, sizes in groups
            for outcome in apart(self.monitor.ingest(columns, rejected, at), sizes)
        ]

    def reload(self) -> None:
        """Read the settings anew; raises ``ConfigError`` and keeps the old ones if they are bad."""
        if self.read_settings is None:
            return
        with self._reloading:
            try:
                settings = self.read_settings()
                references = self.references.configured(settings)
            except ConfigError as error:
                self.requests.reload_successful = False
                log.error("configuration not reloaded, the old one stays: %s", error)
                raise
            self._apply(settings, references)

    def _apply(self, settings: Settings, references: Mapping[str, Reference]) -> None:
        for key in ("listen_address", "model_server", "data_dir"):
            if getattr(settings, key) != getattr(self.settings, key):
                log.warning("%s has changed: that needs a restart", key)
        if settings.join.max_pending != self.settings.join.max_pending:
            log.warning("join.max_pending has changed: that needs a restart")
        with self.monitor.lock:
            self.settings = settings
            self.rate = RateLimit(settings.max_events_per_second)
            self.monitor.models.references.configured = references
            self.monitor.configure(settings, self.clock.monotonic())
        self.requests.reload_successful = True
        log.info("configuration reloaded")

    def _series_dropped(self, count: int) -> None:
        with self.monitor.lock:
            self.monitor.models.dropped["max_series"] += count
