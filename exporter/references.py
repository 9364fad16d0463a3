"""Which reference serves which model version."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.config import Settings
from exporter.reference.reference import Reference

Key = tuple[str, str | None]


class References:
    """The references there are.

    A version's own comes first, then that of its whole model, both sent by ``PUT``; then the
    file that is configured, then the version's own first events.
    """

    def __init__(self) -> None:
        self.sent: dict[Key, Reference] = {}
        """By model and version; ``None`` serves all versions without one of their own."""
        self.configured: Mapping[str, Reference] = {}
        """By the name or the glob that is configured."""
        self.first: dict[tuple[str, str], Reference] = {}

    def find(self, name: str, version: str, settings: Settings) -> Reference | None:
        """Return the reference of a model version."""
        return (
            self.sent.get((name, version))
            or self.sent.get((name, None))
            or self.configured.get(settings.entry(name).name)
            or self.first.get((name, version))
        )

    def shown(self, name: str, version: str | None, settings: Settings) -> Reference | None:
        """Return what serves a version, or those versions that have none of their own."""
        if version is not None:
            return self.find(name, version, settings)
        return self.sent.get((name, None)) or self.configured.get(settings.entry(name).name)
