"""Aligned rings of panes: a window is a sum.

Rows fold into one open pane. Panes close on aligned boundaries and never change again; those of
longer windows gather the panes of the shortest. A closed pane is kept sparse: most bins are empty.
Time is always given, never read.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from exporter.config import WindowSpec
from exporter.layout import Layout, Moves, Sparse, sparse, total
from exporter.registry import Floats
from exporter.rows import Labels, select

PANES: Final = 60
"""A window is made of at least this many panes."""


def shortest(seconds: Iterable[float]) -> float:
    """Return the seconds of a pane of the shortest of windows of ``seconds``."""
    return min(seconds, default=PANES) / PANES


def apart(one: float, other: float, windows: Iterable[WindowSpec]) -> bool:
    """Return whether two times lie in different panes of the shortest window."""
    width = shortest(spec.seconds for spec in windows if spec.seconds is not None)
    return one // width != other // width


@dataclass
class _Ring:
    """The panes of one window; ``ratio`` shortest panes make one of its own."""

    ratio: int
    seconds: float
    width: float
    open: Floats
    closed: deque[tuple[int, Sparse]] = field(default_factory=deque)
    cached: Floats | None = None

    def gather(self, index: int, after: int, pane: Floats) -> None:
        """Take the shortest pane ``index`` in; ``after`` is the one that is open now."""
        self.open += pane
        if after // self.ratio > index // self.ratio and self.open.any():
            self.closed.append((index // self.ratio, sparse(self.open)))
            self.open[:] = 0.0
            self.cached = None

    def first(self, now: float) -> int:
        """Return the oldest pane that belongs to the window at ``now``: the one it began in."""
        return math.floor((now - self.seconds) / self.width)

    def drop_before(self, oldest: int) -> None:
        """Forget the panes before ``oldest``."""
        while self.closed and self.closed[0][0] < oldest:
            self.closed.popleft()
            self.cached = None

    def sum(self) -> Floats:
        """Return the sum of the closed panes and of those gathered since."""
        if self.cached is None:
            self.cached = total((pane for _, pane in self.closed), len(self.open))
        return self.cached + self.open


class Sums:
    """The panes of time windows of one fixed-size array that adds."""

    def __init__(self, size: int, windows: Mapping[str, float], now: float) -> None:
        """``windows`` are names with their lengths in seconds."""
        self.born = now
        ordered = sorted(windows.items(), key=lambda item: item[1])
        self.width = shortest(windows.values())
        self._rings: dict[str, _Ring] = {}
        ratio = 1
        for name, seconds in ordered:
            # A longer pane is a multiple of the next shorter, so that all boundaries align.
            ratio *= max(1, math.floor(seconds / PANES / (self.width * ratio) + 1e-9))
            self._rings[name] = _Ring(ratio, seconds, self.width * ratio, np.zeros(size))
        self._open = np.zeros(size)
        self._index = self._place(now)

    def add(self, summary: Floats, now: float) -> None:
        """Add a summary to the pane that is open at ``now``."""
        self.advance(now)
        self._open += summary

    def advance(self, now: float) -> None:
        """Close the panes that ended before ``now``; a clock that went back closes none."""
        index = self._place(now)
        if index <= self._index:
            return
        for ring in self._rings.values():
            ring.gather(self._index, index, self._open)
            ring.drop_before(ring.first(now))
        self._open[:] = 0.0
        self._index = index

    def window(self, name: str, now: float) -> tuple[Floats, float]:
        """Return the sum of the window ``name`` at ``now``, and the seconds that it spans."""
        self.advance(now)
        ring = self._rings[name]
        # A clock that went back brings no pane back.
        first = ring.first(max(now, self._index * self.width))
        ring.drop_before(first)
        start = first * ring.width
        return ring.sum() + self._open, max(0.0, now - max(start, self.born))

    def _place(self, now: float) -> int:
        return math.floor(now / self.width)


class Panes(Sums):
    """The panes of all time windows of one model version: what adds is a summary of a layout."""

    def __init__(self, layout: Layout, windows: Mapping[str, float], now: float) -> None:
        """``windows`` are names with their lengths in seconds."""
        super().__init__(layout.size, windows, now)
        self.layout = layout

    def dump(self) -> dict[str, Any]:
        """Return every pane as plain objects and arrays."""
        rings = {
            name: {"open": ring.open.copy(), "closed": list(ring.closed)}
            for name, ring in self._rings.items()
        }
        return {"born": self.born, "index": self._index, "open": self._open.copy(), "rings": rings}

    def load(self, dumped: Mapping[str, Any], moves: Moves) -> None:
        """Take the panes that were dumped of the same windows."""
        self.born, self._index = dumped["born"], dumped["index"]
        self._open = moves.dense(dumped["open"])
        for name, ring in self._rings.items():
            saved = dumped["rings"][name]
            ring.open, ring.cached = moves.dense(saved["open"]), None
            ring.closed = deque((i, moves.sparse(*pane)) for i, pane in saved["closed"])

    def carry(self, after: Layout) -> None:
        """Carry every pane over to another layout."""
        before, self.layout = self.layout, after
        self._open = before.carry(self._open, after)
        for ring in self._rings.values():
            ring.open = before.carry(ring.open, after)
            ring.closed = deque(
                (index, sparse(before.carry(total([pane], before.size), after)))
                for index, pane in ring.closed
            )
            ring.cached = None


class CountPanes:
    """The panes of a window over the last so many labels."""

    def __init__(self, layout: Layout, labels: int, now: float) -> None:
        self.layout = layout
        self._labels = labels
        self._room = max(1, labels // PANES)
        self._open = layout.zero()
        self._filled = 0
        self._since = now
        self._closed: deque[tuple[float, Sparse]] = deque()
        self._cached: Floats | None = None

    def add(self, rows: Labels, now: float) -> None:
        """Add joined labels, in order."""
        done = 0
        while done < rows.size:
            if self._filled == 0:
                self._since = now
            taken = min(self._room - self._filled, rows.size - done)
            part = rows if taken == rows.size else select(rows, np.arange(done, done + taken))
            self._open += self.layout.fold(None, part)
            self._filled += taken
            done += taken
            if self._filled == self._room:
                self._close()
            self._drop_spare()

    def window(self, now: float) -> tuple[Floats, float]:
        """Return the sum of the window at ``now``, and the seconds that it spans."""
        if self._cached is None:
            self._cached = total((pane for _, pane in self._closed), self.layout.size)
        since = self._closed[0][0] if self._closed else self._since
        return self._cached + self._open, max(0.0, now - since)

    def dump(self) -> dict[str, Any]:
        """Return every pane as plain objects and arrays."""
        return {
            "open": self._open.copy(),
            "filled": self._filled,
            "since": self._since,
            "closed": list(self._closed),
        }

    def load(self, dumped: Mapping[str, Any], moves: Moves) -> None:
        """Take the panes that were dumped of the same window."""
        self._open, self._filled = moves.dense(dumped["open"]), dumped["filled"]
        self._since, self._cached = dumped["since"], None
        self._closed = deque((since, moves.sparse(*pane)) for since, pane in dumped["closed"])

    def carry(self, after: Layout) -> None:
        """Carry every pane over to another layout."""
        before, self.layout = self.layout, after
        self._open = before.carry(self._open, after)
        carried = [
            (since, sparse(before.carry(total([pane], before.size), after)))
            for since, pane in self._closed
        ]
        self._closed = deque(carried)
        self._cached = None

    def _close(self) -> None:
        self._closed.append((self._since, sparse(self._open)))
        self._open = self.layout.zero()
        self._filled = 0
        self._cached = None

    def _drop_spare(self) -> None:
        """Forget the oldest panes, as long as the others hold labels enough."""
        while (len(self._closed) - 1) * self._room + self._filled >= self._labels:
            self._closed.popleft()
            self._cached = None
