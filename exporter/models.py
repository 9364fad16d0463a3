"""The models there are: how many may be, which is a model's latest version, and who leaves.

Holds every model version, the ids that wait for joins, and what is counted over all of them.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterator

from exporter.config import Settings
from exporter.events import DEFAULT_VERSION, FieldError
from exporter.join import JoinStore
from exporter.model import Activity, ModelVersion
from exporter.reference.first import FirstEvents
from exporter.references import References
from exporter.slots import Owner

log = logging.getLogger("modelmeter")


class Models:
    """Every (model, version), at most ``max_models`` of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.references = References()
        self.store = JoinStore(settings.join.max_pending, settings.join.ttl)
        self.received = 0
        self.clamped = 0
        self.rejected: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._models: dict[tuple[str, str], ModelVersion] = {}
        self._wild: dict[str, Owner] = {}
        self._latest: dict[str, ModelVersion] = {}
        self._told: set[str] = set()
        self._idle_since = -math.inf

    def __iter__(self) -> Iterator[ModelVersion]:
        return iter(list(self._models.values()))

    def __len__(self) -> int:
        return len(self._models)

    def versions(self, name: str) -> list[ModelVersion]:
        """Return the versions of a model."""
        return [model for model in self._models.values() if model.name == name]

    def find(self, name: str, version: str, now: float) -> ModelVersion | None:
        """Return a model version; a new one if there is room, or if room can be made."""
        model = self._models.get((name, version))
        if model is None and self._has_room(now):
            model = ModelVersion(
                name,
                version,
                self.settings.for_model(name),
                self.settings.windows,
                self.store.table.owner(),
                Activity(seen=now),
            )
            self._models[name, version] = model
            self._refer(model, now)
        return model

    def refer(self, now: float) -> None:
        """Let every version be compared with the reference that serves it now."""
        for model in self:
            self._refer(model, now)

    def _refer(self, model: ModelVersion, now: float) -> None:
        reference = self.references.find(model.name, model.version, self.settings)
        if reference is not model.reference:
            try:
                model.adopt(reference, now)
            except FieldError as error:
                log.warning(
                    "model %s version %s has no reference: %s %s",
                    model.name, model.version, error.field, error.error,
                )  # fmt: skip
                if model.reference is not None:
                    model.adopt(None, now)
        wanted = model.settings.reference.first if model.settings.reference is not None else None
        if reference is not None or wanted is None:
            model.first = None
        elif model.first is None:
            model.first = FirstEvents(wanted)

    def latest(self, name: str, now: float) -> ModelVersion | None:
        """Return the version that predicted last; a stand-in while none has, if there is room."""
        model = self._latest.get(name) or self.find(name, DEFAULT_VERSION, now)
        if model is not None:
            self._latest[name] = model
        return model

    def predicted(self, model: ModelVersion) -> None:
        """Make ``model`` the latest version; a stand-in that only held labels goes."""
        before = self._latest.get(model.name)
        self._latest[model.name] = model
        stand_in = before is not None and before is not model and before.counts is None
        if before is not None and stand_in and not before.owner.slots:
            model.orphaned += before.orphaned
            self.remove(before)

    def is_latest(self, model: ModelVersion) -> bool:
        """Return whether ``model`` is the version that predicted last."""
        return self._latest.get(model.name) is model

    def wild(self, name: str) -> Owner:
        """Return the owner of a model's labels that name no version."""
        if name not in self._wild:
            self._wild[name] = self.store.table.owner()
        return self._wild[name]

    def known_wild(self, name: str) -> Owner | None:
        """Return the owner of a model's labels that name no version, if there are any."""
        return self._wild.get(name)

    def pending_labels(self, model: ModelVersion) -> int:
        """Return how many labels wait for predictions of ``model``.

        Labels that name no version are told at the model's latest one.
        """
        wild = self._wild.get(model.name)
        shared = wild.waiting if wild is not None and self.is_latest(model) else 0
        return model.owner.waiting + shared

    def orphaned(self, model: ModelVersion) -> int:
        """Return how many labels of ``model`` expired without a prediction."""
        wild = self._wild.get(model.name)
        if wild is not None and self.is_latest(model):
            # They stay where they were told first: a counter must not move to another version.
            model.orphaned += wild.orphaned
            wild.orphaned = 0
        return model.owner.orphaned + model.orphaned

    def over(self, reason: str, events: int, what: str) -> None:
        """Count events that a bound left without series; tell it in the log once."""
        self.dropped[reason] += events
        if reason not in self._told:
            self._told.add(reason)
            log.warning("a bound was reached: %s; events of %s have no series", reason, what)

    def over_by_reason(self) -> Counter[str]:
        """Return how many events (or series) were over a bound, by reason."""
        total = Counter(self.dropped)
        for model in self._models.values():
            total.update(model.over_by_reason())
        return total

    def sweep(self, now: float) -> None:
        """Let models go that were silent for ``model_ttl`` and wait for nothing."""
        for model in self:
            quiet = now - model.activity.seen >= self.settings.model_ttl
            if quiet and not model.owner.pending and not self.pending_labels(model):
                self.remove(model)

    def remove(self, model: ModelVersion) -> None:
        """Forget a model version and everything that waits for it."""
        del self._models[model.name, model.version]
        self.references.first.pop((model.name, model.version), None)
        self.dropped.update(model.over_by_reason())
        self.store.table.release(model.owner)
        left = self.versions(model.name)
        if self.is_latest(model):
            del self._latest[model.name]
            if left:
                self._latest[model.name] = max(left, key=lambda other: other.activity.seen)
        if not left and model.name in self._wild:
            self.store.table.release(self._wild.pop(model.name))

    def _has_room(self, now: float) -> bool:
        """Let the model go that is idle longest, if it must and was longer than any window."""
        if len(self._models) < self.settings.max_models:
            return True
        lengths = [spec.seconds for spec in self.settings.windows if spec.seconds is not None]
        longest = max(lengths, default=self.settings.model_ttl)
        if now - self._idle_since < longest:
            return False
        idle = min(self._models.values(), key=lambda model: model.activity.seen, default=None)
        if idle is not None:
            # No model can have been idle for longer, now or later: thousands of names that come
            # together must not make as many searches.
            self._idle_since = idle.activity.seen
        if idle is None or now - idle.activity.seen < longest:
            return False
        self.remove(idle)
        return True
