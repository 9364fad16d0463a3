"""The truth about each hour, which is known late or never."""

import heapq
import random
from collections.abc import Iterator

NEVER_LABELLED = 0.07

_SHORTEST_DELAY, _MEAN_EXTRA_DELAY, _LONGEST_DELAY = 0.5, 1.5, 6.0


def label_delay(rng: random.Random) -> float | None:
    """Return after how many seconds the truth is known, None if never."""
    if rng.random() < NEVER_LABELLED:
        return None
    return min(_SHORTEST_DELAY + rng.expovariate(1 / _MEAN_EXTRA_DELAY), _LONGEST_DELAY)


class LateLabels:
    """Holds labels back until they are due."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._waiting: list[tuple[float, str, str]] = []

    def add(self, name: str, label: str, now: float) -> None:
        """Draw when the label of the prediction with this id will be known."""
        delay = label_delay(self._rng)
        if delay is not None:
            heapq.heappush(self._waiting, (now + delay, name, label))

    def due(self, now: float) -> Iterator[tuple[str, str]]:
        """Yield the (id, label) whose time has come, the earliest first."""
        while self._waiting and self._waiting[0][0] <= now:
            _, name, label = heapq.heappop(self._waiting)
            yield name, label
