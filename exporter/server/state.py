"""What is known of one model server at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.server.server import Sample
from exporter.server.windows import Used


@dataclass(frozen=True)
class State:
    """What is known of one model server at one moment."""

    name: str
    sample: Sample | None
    """The last sample, ``None`` before the first."""
    at: float
    """When that was, by the wall's clock."""
    fresh: bool
    """Whether it still says something about now."""
    windows: Mapping[str, Used]

    @property
    def gauges(self) -> Mapping[str, float]:
        """Return what it shows now."""
        return self.sample.gauges if self.fresh and self.sample else {}

    @property
    def up(self) -> bool | None:
        """Return whether it runs, ``None`` where that is not known."""
        return self.sample.up if self.fresh and self.sample else None
