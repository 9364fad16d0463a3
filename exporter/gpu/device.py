"""What one GPU, or one instance of a partitioned GPU, is and shows: in base units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

REASONS: Final = (
    "hw_power_brake", "hw_slowdown", "hw_thermal", "sw_power_cap", "sw_thermal", "sync_boost",
)  # fmt: skip
"""Why a GPU runs slower than it could. That it is idle, that somebody chose lower clocks, and what
a display asks for are no throttling: nothing is held back that was asked for."""

XIDS: Final = (13, 31, 43, 45, 48, 63, 64, 74, 79, 94, 95, 119, 120)
"""NVIDIA's numbers of errors that stop work or point at hardware: counted from 0, so that the first
one is seen by ``increase``; any other from its first on. Source: NVIDIA, "XID errors"."""


def _nothing() -> Mapping[str, float]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Device:
    """Which GPU it is: its number on the machine, its id and its product name.

    ``mig`` is the number of an instance on its GPU, and ``None`` for the GPU itself.
    """

    gpu: str
    uuid: str = ""
    name: str = ""
    mig: str | None = None

    @property
    def labels(self) -> dict[str, str]:
        """The labels that all of its series carry."""
        labels = {"gpu": self.gpu, "uuid": self.uuid, "name": self.name}
        return labels if self.mig is None else {**labels, "mig": self.mig}


@dataclass(frozen=True)
class Sample:
    """What a device showed at one time; ``None``, or no entry, for what it does not support."""

    utilization_ratio: float | None = None
    recorded: tuple[float, ...] | None = None
    """Use since the sample before, as the driver recorded it; ``None`` where it does not."""
    memory_used_bytes: float | None = None
    memory_total_bytes: float | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    temperature_celsius: float | None = None
    energy_joules: float | None = None
    """Used since the driver was loaded."""
    process_memory_bytes: float | None = None
    """Memory of the model server's own processes; ``None`` where they are not among those seen."""
    clock_hertz: Mapping[str, float] = field(default_factory=_nothing)
    """By domain: ``sm``, ``memory``."""
    throttled: Mapping[str, float] = field(default_factory=_nothing)
    """1 or 0 by those of the ``REASONS`` that the device can tell."""
    ecc_errors: Mapping[str, float] = field(default_factory=_nothing)
    """Counted so far: ``corrected``, ``uncorrected``."""
    denied: frozenset[str] = frozenset()
    """What there was no right to read."""


Reading = tuple[Device, Sample]
