"""Counters over processes that come and go: they never fall.

The kernel adds what a child used, and what it read and wrote, to its parent's figures once the
parent has waited for it. Of a child that was watched this has been counted already; of one that
lived and ended between two samples it is all that is ever seen.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Generic, TypeVar

PATIENCE: Final = 2
"""Samples in which what an ended child used is looked for in its parent's figures."""


Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Reading:
    """The figures of one process, as far as they could be read."""

    figures: Mapping[str, float]
    pid: int = 0
    parent: int = 0
    born: bool = False
    """Whether it began after the last sample, so that all it did was done since."""


@dataclass
class _Owed:
    """What a parent's figures are going to grow by, of children that were counted themselves."""

    figures: dict[str, float]
    patience: int = PATIENCE


@dataclass
class Accumulator(Generic[Key]):
    """Totals of ``names``: each process (or what else counts) adds what it did since last seen.

    ``inherited`` are those in which a parent's figures take in its children's when they end.
    """

    names: tuple[str, ...]
    inherited: frozenset[str] = frozenset()
    totals: dict[str, float] = field(default_factory=dict)
    """Those that could be read at least once."""
    _seen: dict[Key, Reading] = field(default_factory=dict)
    _owed: dict[int, list[_Owed]] = field(default_factory=dict)

    def add(self, readings: Mapping[Key, Reading], runs: Callable[[Key], bool]) -> dict[str, float]:
        """Add every process's growth, and return what of it is known to be since the last sample.

        A process seen first adds all it did; one that is gone takes nothing away. What is out of
        sight but still ``runs`` is remembered, so that its past is never added twice.
        """
        unseen = {one: reading for one, reading in self._seen.items() if one not in readings}
        elsewhere = {one: reading for one, reading in unseen.items() if runs(one)}
        self._owe({r.pid: r for one, r in unseen.items() if one not in elsewhere})
        recent: dict[str, float] = {}
        for key, reading in readings.items():
            before = self._seen.get(key)
            for name in self.names:
                if name in reading.figures:
                    growth = self._growth(name, reading, before)
                    self.totals[name] = self.totals.get(name, 0.0) + growth
                    if before is not None or reading.born:
                        recent[name] = recent.get(name, 0.0) + growth
        self._remember(elsewhere, readings)
        return recent

    def _owe(self, ended: Mapping[int, Reading]) -> None:
        """Note what is going to appear in the figures of who has waited for the ``ended``."""
        if not self.inherited:
            return
        for pid, reading in ended.items():
            names = self.inherited & reading.figures.keys()
            figures = {name: reading.figures[name] for name in names}
            heir, passed = reading.parent, {pid}
            while heir in ended and heir not in passed:
                passed.add(heir)
                heir = ended[heir].parent
            # What the ended one was to inherit goes on to its own heir, who needs as long again.
            passed_on = [_Owed(debt.figures) for debt in self._owed.pop(pid, ())]
            self._owed.setdefault(heir, []).extend([*passed_on, _Owed(figures)])

    def _growth(self, name: str, reading: Reading, before: Reading | None) -> float:
        if before is None:
            return max(0.0, reading.figures[name])
        # What could not be read before is not known to have grown.
        figure = reading.figures[name]
        growth = max(0.0, figure - before.figures.get(name, figure))
        for owed in self._owed.get(reading.pid, ()):
            taken = min(growth, owed.figures.get(name, 0.0))
            if taken:
                growth -= taken
                owed.figures[name] -= taken
        return growth

    def _remember(self, elsewhere: Mapping[Key, Reading], readings: Mapping[Key, Reading]) -> None:
        """Keep what the next growth is measured from; what nobody inherits is owed no longer."""
        merged = {
            key: replace(reading, figures={**old.figures, **reading.figures})
            if (old := self._seen.get(key)) and not old.figures.keys() <= reading.figures.keys()
            else reading
            for key, reading in readings.items()
        }
        self._seen = {**elsewhere, **merged}
        for pid, debts in list(self._owed.items()):
            for owed in debts:
                owed.patience -= 1
            self._owed[pid] = [owed for owed in debts if owed.patience > 0]
            if not self._owed[pid]:
                del self._owed[pid]
