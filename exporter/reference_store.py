"""References as they come, change and go: from requests, from files, from the first events."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Final

from exporter.building import Builder, BuildError
from exporter.config import ConfigError, ModelSettings, Problem, Settings
from exporter.events import FieldError
from exporter.ledger import Ledger
from exporter.model import ModelVersion
from exporter.monitor import Monitor
from exporter.reference.first import FirstEvents
from exporter.reference.reference import Reference

log = logging.getLogger("modelmeter")

MAX_COLLECTED_BYTES: Final = 128 * 2**20
"""First events of all models together; above it the largest collection ends early."""


@dataclass(frozen=True)
class _Loaded:
    """A configured file as it was read."""

    stamp: tuple[int, int]
    entry: ModelSettings
    reference: Reference


class ReferenceStore:
    """What changes the references of a monitor."""

    def __init__(self, monitor: Monitor, ledger: Ledger) -> None:
        self.builder = Builder()
        self._monitor = monitor
        self._ledger = ledger
        self._loaded: dict[str, _Loaded] = {}

    def put(self, name: str, version: str | None, reference: Reference) -> int:
        """Compare a version, or all without one of their own, with ``reference`` from now on.

        Returns how many live versions it serves. Raises :class:`FieldError` when one of them has
        another task, or when there are too many references; nothing changes then.
        """

        def check() -> None:
            models = self._monitor.models
            sent = models.references.sent
            if (name, version) not in sent and len(sent) >= models.settings.max_models:
                raise FieldError("model", f"there are already {len(sent)} references (max_models)")
            for model in self._served(name, version):
                task = model.known.task
                if task not in (None, reference.schema.task):
                    told = f"is {task} for version {model.version}, the reference is of "
                    raise FieldError("task", told + reference.schema.task)

        return self._ledger.refer(name, version, reference, check)

    def delete(self, name: str, version: str | None) -> bool:
        """Forget a reference that was sent; return whether there was one."""
        if (name, version) not in self._monitor.models.references.sent:
            return False
        return bool(self._ledger.refer(name, version, None))

    def get(self, name: str, version: str | None) -> Reference | None:
        """Return what a version, or a model's versions without one of their own, are served by."""
        models = self._monitor.models
        with self._monitor.lock:
            return models.references.shown(name, version, models.settings)

    def configured(self, settings: Settings) -> dict[str, Reference]:
        """Return the references of configured files, by name or glob; may take long.

        Files that have not changed are not read again. Raises :class:`ConfigError`.
        """
        problems: list[Problem] = []
        loaded: dict[str, _Loaded] = {}
        for entry in (settings.defaults, *settings.models):
            path = entry.reference.file if entry.reference is not None else None
            if path is None:
                continue
            try:
                loaded[entry.name] = self._load(path, entry)
            except BuildError as error:
                where = "defaults" if entry is settings.defaults else f"models[{entry.name}]"
                message = f"{path}: {error.error}"
                if error.status == 422 and error.detail:
                    message = f"{path}: {error.detail[0]['field']}: {error.error}"
                problems.append(
                    Problem(
                        settings.config_file or "settings", None, f"{where}.reference.file", message
                    )
                )
        if problems:
            raise ConfigError(problems)
        self._loaded = loaded
        return {name: one.reference for name, one in loaded.items()}

    def build_first(self) -> None:
        """Build the references of models whose first events are there; may take long."""
        with self._monitor.lock:
            due = self._collected()
        for model, first in due:
            source = f"first {first.rows} events"
            try:
                built = self.builder.packed(first.parts, model.name, model.settings, source)
            except BuildError as error:
                log.warning(
                    "no reference from the %s of model %s version %s: %s",
                    source, model.name, model.version, error,
                )  # fmt: skip
                first.parts.clear()
                continue
            if model.first is not first:
                continue
            self._ledger.first(model.name, model.version, built.reference)
            log.info("reference: %s of model %s version %s", source, model.name, model.version)

    def _served(self, name: str, version: str | None) -> list[ModelVersion]:
        models = self._monitor.models
        versions = models.versions(name)
        if version is not None:
            return [model for model in versions if model.version == version]
        return [model for model in versions if (name, model.version) not in models.references.sent]

    def _load(self, path: str, entry: ModelSettings) -> _Loaded:
        try:
            status = os.stat(path)
        except OSError as error:
            raise BuildError(400, (error.strerror or str(error)).lower()) from None
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._loaded.get(entry.name)
        if known is not None and known.stamp == stamp and known.entry == entry:
            return known
        built = self.builder.file(path, entry.name, entry)
        log.info("reference: %s, %d events", path, built.reference.rows)
        return _Loaded(stamp, entry, built.reference)

    def _collected(self) -> list[tuple[ModelVersion, FirstEvents]]:
        """Return the collections that are whole, or too large to go on."""
        collecting = [(m, m.first) for m in self._monitor.models if m.first and m.first.parts]
        due = [(model, first) for model, first in collecting if first.full]
        if sum(first.bytes for _, first in collecting) > MAX_COLLECTED_BYTES and not due:
            model, first = max(collecting, key=lambda pair: pair[1].bytes)
            log.warning(
                "first events of model %s version %s: only %d fit into memory",
                model.name, model.version, first.rows,
            )  # fmt: skip
            first.wanted = first.rows
            due = [(model, first)]
        return due
