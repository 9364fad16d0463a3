"""The GPUs of the machine, of whichever make: what is wanted of them, and how they are."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from exporter.config import Settings
from exporter.environment import Facts
from exporter.gpu.amd import Amd
from exporter.gpu.board import Board, Shown
from exporter.gpu.driver import Driver
from exporter.gpu.facts import facts
from exporter.gpu.nvml import Nvml
from exporter.gpu.sampler import Pace, Sampler, Times


class Gpus:
    """All GPUs, read in the background from :meth:`start` to :meth:`end`."""

    def __init__(
        self,
        drivers: Sequence[Driver],
        settings: Settings,
        clock: Callable[[], float],
        wall: Callable[[], float],
        pids: Callable[[], Collection[int]] = tuple,
        pace: Pace | None = None,
    ) -> None:
        """``pids`` are the model server's processes; ``clock`` never steps, ``wall`` may."""
        self._required = settings.gpu == "required"
        self._clock = clock
        pace = pace or Pace(settings.sample_interval)
        missing = logging.WARNING if self._required else logging.INFO
        self.samplers = [
            Sampler(
                driver,
                Board(settings.windows, pace.stale),
                Times(clock, wall),
                pids,
                pace,
                missing,
            )
            for driver in drivers
        ]

    def start(self) -> None:
        """Begin to read."""
        for sampler in self.samplers:
            sampler.start()

    def end(self) -> None:
        """End; what hangs in a driver is left there."""
        for sampler in self.samplers:
            sampler.end()

    def configure(self, settings: Settings) -> None:
        """Take another interval and other windows."""
        for sampler in self.samplers:
            sampler.pace = replace(sampler.pace, interval=settings.sample_interval)
            sampler.board.configure(settings.windows, sampler.pace.stale, self._clock())

    def facts(self, now: float) -> Facts:
        """Return how the GPUs are and were, and what of that stands out."""
        return facts(self.shown(now))

    def shown(self, now: float) -> list[Shown]:
        """Return what there is to tell of every device."""
        return [shown for sampler in self.samplers for shown in sampler.board.shown(now)]

    @property
    def applies(self) -> bool:
        """Whether there are GPUs, or should be."""
        return self._required or self._broken() or self._known()

    @property
    def failing(self) -> bool:
        """Whether they cannot be read: none that is required or was there, or a broken driver."""
        absent = all(sampler.absent for sampler in self.samplers)
        return self._broken() or (absent and (self._required or self._known()))

    @property
    def degraded(self) -> bool:
        """Whether the right to read something lacks."""
        return any(sampler.denied for sampler in self.samplers)

    def _known(self) -> bool:
        return any(sampler.board.known() for sampler in self.samplers)

    def _broken(self) -> bool:
        return any(sampler.failing() for sampler in self.samplers)


def drivers() -> list[Driver]:
    """Return what can be looked for: NVIDIA's driver, and AMD's where its package is installed."""
    found: list[Driver] = [Nvml()]
    if importlib.util.find_spec("amdsmi") is not None:
        found.append(Amd())
    return found
