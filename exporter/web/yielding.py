"""Who goes first when there is one interpreter for all: scrapes, and then large bodies."""

from __future__ import annotations

import threading
from typing import Final

YIELD_SECONDS: Final = 0.25
"""How long a step of a large body waits at most: scrapes must not keep events out."""


class Precedence:
    """Held while a scrape is collected and rendered; who has long work to do yields to it."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self._free.set()

    def __enter__(self) -> None:
        self._free.clear()

    def __exit__(self, *error: object) -> None:
        self._free.set()

    @property
    def taken(self) -> bool:
        """Whether a scrape is under way."""
        return not self._free.is_set()

    def give_way(self) -> None:
        """Return when no scrape is under way, or when it has been waited for long enough."""
        self._free.wait(YIELD_SECONDS)
