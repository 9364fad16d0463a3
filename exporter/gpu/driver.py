"""What a vendor's library has to offer, and how it fails. Any call may take long, or never end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from exporter.gpu.device import Reading


class GpuError(Exception):
    """A driver could not do what it was asked for."""


class NoDriver(GpuError):
    """There is no library or no driver on this machine: nothing to be read."""


class DriverGone(GpuError):
    """The driver has to be opened anew before it answers again."""


class GpuLost(GpuError):
    """This GPU does not answer; others may."""


class GpuForbidden(GpuError):
    """This GPU is not ours to read: it was given to others."""


class Gpu(Protocol):
    """One GPU, as long as its driver is open."""

    def read(self, pids: Collection[int], now: float) -> Sequence[Reading]:
        """Return what it shows, and what each of its instances shows, at ``now``.

        ``pids`` are the model server's processes. What is costly to ask for may be some seconds
        old. Raises :class:`GpuLost`, :class:`DriverGone`.
        """


class Errors(Protocol):
    """Errors that the driver reports as they happen."""

    @property
    def gpus(self) -> Collection[int]:
        """The numbers of the GPUs that are listened to."""

    def wait(self, seconds: float) -> tuple[int, int] | None:
        """Return the next: the GPU's number and the error's; ``None`` if none came in time.

        Raises :class:`GpuError`.
        """

    def close(self) -> None:
        """Listen no more."""


class Driver(Protocol):
    """A vendor's library."""

    name: str

    def open(self) -> int:
        """Begin, and return how many GPUs there are; raises :class:`GpuError`."""

    def gpu(self, index: int) -> Gpu:
        """Return one GPU; raises :class:`GpuError`."""

    def errors(self, count: int) -> Errors | None:
        """Listen for errors of the first ``count`` GPUs; ``None`` where there is no such thing."""

    def close(self) -> None:
        """End; only called while no other call is under way."""
