"""The models there are: how many may be, which is a model's latest version, and who leaves.

Holds every model version, the ids that wait for joins, and what is counted over all of them.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from exporter.config import Settings
from exporter.encode import Remembered
from exporter.events import DEFAULT_VERSION, FieldError
from exporter.join import JoinStore
from exporter.model import Activity, ModelVersion
from exporter.reference.first import FirstEvents
from exporter.reference.reference import Reference
from exporter.references import References
from exporter.slots import Owner

log = logging.getLogger("modelmeter")

UNSAVED: Final = ("max_series",)
"""Counted at scrapes, which no journal tells about: after a restart it begins anew."""


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

    def dump(self, now: float) -> Iterator[tuple[str, Any]]:
        """Yield names and parts of the state, as plain objects and arrays."""
        held, parts = self.references.dump()
        yield "references", parts
        yield "table", self.store.table.dump()
        yield (
            "models",
            {
                "received": self.received,
                "clamped": self.clamped,
                "rejected": dict(self.rejected),
                "dropped": {name: n for name, n in self.dropped.items() if name not in UNSAVED},
                "latest": {name: model.version for name, model in self._latest.items()},
                "wild": {name: owner.number for name, owner in self._wild.items()},
            },
        )
        for model in self:
            reference = None if model.reference is None else held.get(id(model.reference))
            about = model.name, model.version, model.owner.number, reference
            yield "model", [*about, model.dump(now)]

    def load(self, parts: Iterable[tuple[str, Any]]) -> None:
        """Take a state that was dumped under the same settings; nothing may be there yet."""
        known: list[Reference] = []
        for name, part in parts:
            if name == "references":
                known = self.references.load(part)
            elif name == "table":
                self.store = JoinStore(part["bound"], self.settings.join.ttl)
                self.store.table.load(part, Remembered)
            elif name == "models":
                about = part
            elif name == "model":
                self._load_model(part, known)
        self.received, self.clamped = about["received"], about["clamped"]
        self.rejected.update(about["rejected"])
        self.dropped.update(about["dropped"])
        self._latest = {
            name: self._models[name, version] for name, version in about["latest"].items()
        }
        self._wild = {
            name: self.store.table.owned(number) for name, number in about["wild"].items()
        }

    def _load_model(self, part: Sequence[Any], known: Sequence[Reference]) -> None:
        name, version, number, reference, dumped = part
        settings, owner = self.settings.for_model(name), self.store.table.owned(number)
        windows, activity = self.settings.windows, Activity(0.0)
        model = ModelVersion(name, version, settings, windows, owner, activity)
        model.load(dumped, None if reference is None else known[reference])
        self._models[name, version] = model

    def forget_totals(self) -> None:
        """Let every counter begin anew at 0; windows and what waits stay."""
        self.received = self.clamped = 0
        self.rejected.clear()
        self.dropped.clear()
        for wild in self._wild.values():
            wild.orphaned = 0
        for model in self:
            model.forget_totals()

    def raise_totals(self, by: float) -> None:
        """Let the totals that are sums of real numbers be ``by`` so much higher."""
        for model in self:
            if model.counts is not None:
                model.counts.raise_life(by)

    def resize(self, max_pending: int) -> None:
        """Keep at most ``max_pending`` ids from now on; what leaves for that is counted."""
        table = self.store.table
        if max_pending == table.bound:
            return
        table.shrink(max_pending)
        self.store = JoinStore(max_pending, table.ttl)
        self.store.table.load(table.dump(), Remembered)
        owned = self.store.table.owned
        for model in self:
            model.owner = owned(model.owner.number)
        self._wild = {name: owned(owner.number) for name, owner in self._wild.items()}

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
        if before is model:
            return
        if before is not None:
            self.orphaned(before)
        self._latest[model.name] = model
        stand_in = before is not None and before.counts is None
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

    def idle(self, now: float) -> list[ModelVersion]:
        """Return the models that were silent for ``model_ttl`` and wait for nothing."""
        return [
            model
            for model in self
            if now - model.activity.seen >= self.settings.model_ttl
            and not model.owner.pending
            and not self.pending_labels(model)
        ]

    def get(self, name: str, version: str) -> ModelVersion | None:
        """Return a model version, if it is there."""
        return self._models.get((name, version))

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
