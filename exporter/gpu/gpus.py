"""The GPUs of the machine, of whichever make: what is wanted of them, and how they are."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Collection, Sequence

from exporter.config import WindowSpec
from exporter.gpu.amd import Amd
from exporter.gpu.board import Board, Shown
from exporter.gpu.driver import Driver
from exporter.gpu.nvml import Nvml
from exporter.gpu.sampler import Pace, Sampler, Times


class Gpus:
    """All GPUs, read in the background from :meth:`start` to :meth:`stop`."""

    def __init__(self, samplers: Sequence[Sampler], required: bool) -> None:
        self._samplers = samplers
        self._required = required

    def start(self) -> None:
        """Begin to read."""
        for sampler in self._samplers:
            sampler.start()

    def stop(self) -> None:
        """End what can end."""
        for sampler in self._samplers:
            sampler.stop()

    def shown(self, now: float) -> list[Shown]:
        """Return what there is to tell of every device."""
        return [shown for sampler in self._samplers for shown in sampler.board.shown(now)]

    def applies(self, now: float) -> bool:
        """Return whether there are GPUs, or should be."""
        return self._required or self._broken() or bool(self.shown(now))

    def failing(self, now: float) -> bool:
        """Return whether they cannot be read: none that is required, or a driver that fails."""
        absent = all(sampler.absent for sampler in self._samplers)
        known = bool(self.shown(now))
        return self._broken() or (absent and (self._required or known))

    @property
    def degraded(self) -> bool:
        """Whether the right to read something lacks."""
        return any(sampler.denied for sampler in self._samplers)

    def _broken(self) -> bool:
        return any(sampler.failing() for sampler in self._samplers)


def gpus(
    mode: str,
    windows: Sequence[WindowSpec],
    times: Times,
    pids: Callable[[], Collection[int]] = tuple,
    pace: Pace = Pace(),  # noqa: B008
) -> Gpus | None:
    """Return the GPUs as ``mode`` wants them, ``None`` if they are not to be read."""
    if mode == "off":
        return None
    missing = logging.WARNING if mode == "required" else logging.INFO
    return Gpus(
        [
            Sampler(driver, Board(windows, pace.stale), times, pids, pace, missing)
            for driver in drivers()
        ],
        mode == "required",
    )


def drivers() -> list[Driver]:
    """Return what can be looked for: NVIDIA's driver, and AMD's where its package is installed."""
    found: list[Driver] = [Nvml()]
    if importlib.util.find_spec("amdsmi") is not None:
        found.append(Amd())
    return found
