"""What surrounds a model as facts of windows: beside its latency, they tell whether that is why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from exporter.config import Settings


@dataclass(frozen=True)
class Facts:
    """What one source knows, as plain objects by the name they are shown under."""

    shown: Mapping[str, Any]
    findings: Sequence[str] = field(default=())
    """Sentences about what is out of the ordinary, each with the numbers it rests on."""


class Beside(Protocol):
    """A source that samples something beside the service, in a thread of its own."""

    def start(self) -> None:
        """Begin to sample."""

    def end(self) -> None:
        """End, and wait for that but shortly: what hangs is left where it is."""

    def configure(self, settings: Settings) -> None:
        """Take other settings, as far as that needs no restart."""

    def facts(self, now: float) -> Facts:
        """Return what is known at ``now``."""
