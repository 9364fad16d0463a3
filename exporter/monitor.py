"""The monitor: what the rest of the house uses to count events and to read what was counted.

One at a time: whoever counts or reads holds :attr:`Monitor.lock`. Time is given, never read.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from threading import Lock

from exporter.config import Settings
from exporter.deciding import decide
from exporter.events import Rejection
from exporter.ingest.columns import Columns
from exporter.intake import Intake, Moment, Outcome
from exporter.model import ModelVersion
from exporter.models import Models

log = logging.getLogger("modelmeter")


class Monitor:
    """All models, and when what is due."""

    def __init__(self, settings: Settings) -> None:
        self.lock = Lock()
        self.models = Models(settings)
        self._decided = -math.inf

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.models.settings

    def ingest(self, columns: Columns, rejected: Sequence[Rejection], at: Moment) -> Outcome:
        """Count the events of one body; ``rejected`` are those its format found wanting."""
        return Intake(self.models, at).take(columns, rejected)

    def tick(self, now: float) -> None:
        """Expire and fold what waits; make decisions when they are due.

        The first decisions are due with the first model: it does not wait an interval for them,
        and neither does a model whose reference has changed.

        Takes the lock itself, and for one model at a time, so that events are not held up for long.
        """
        with self.lock:
            self.expire(now)
        deciding = now - self._decided >= self.settings.decision_interval
        for model in self.models:
            with self.lock:
                if model.counts is not None:
                    model.counts.flush(now)
                    minutes = model.counts.minutes.take(now)
                    model.anomalies.take(minutes)
                    model.recent.take(minutes)
                    if model.recent.due(now):
                        model.recent.look(model.counts.window(model.windows[0], now), now)
                    if deciding:
                        self._decided = now
                    if deciding or model.undecided:
                        self._decide(model, now)

    def catch_up(self, now: float) -> None:
        """Do at once what ticks would have done until ``now``, but for decisions."""
        self.expire(now)
        for model in self.models:
            if model.counts is not None:
                model.counts.flush(now)
                model.anomalies.take(model.counts.minutes.take(now))

    def resume(self, now: float) -> None:
        """Go on after a time away: what nobody saw is not known to have been nothing."""
        for model in self.models:
            if model.counts is not None:
                model.counts.minutes.interrupt(now)
        self.catch_up(now)

    def expire(self, now: float) -> None:
        """Let the ids go that are too old at ``now``."""
        self.models.store.table.expire(now)
        for model in self.models:
            # Told now, not when somebody looks: what was lost with which version must not depend
            # on scrapes.
            self.models.orphaned(model)

    def delete(self, name: str, version: str | None = None) -> int:
        """Forget a model, or one version of it; return how many versions went."""
        gone = [m for m in self.models.versions(name) if version in (None, m.version)]
        for model in gone:
            self.models.remove(model)
        return len(gone)

    def configure(self, settings: Settings, now: float) -> None:
        """Take new settings."""
        self.models.settings = settings
        self.models.resize(settings.join.max_pending)
        self.models.store.table.ttl = settings.join.ttl
        for model in self.models:
            model.configure(settings.for_model(model.name), settings.windows, now)
        self.models.refer(now)
        self._decided = -math.inf

    def _decide(self, model: ModelVersion, now: float) -> None:
        if model.counts is None:
            return
        if model.counts.adapt(now):
            log.info("score edges adapted: model %s version %s", model.name, model.version)
        model.undecided = False
        versions = len(self.models.versions(model.name))
        windows = model.counts.all_windows(now)
        model.decisions = decide(windows, model.settings, model.reference, versions, self.settings)
