"""Answers to requests with an ``Idempotency-Key``, for ten minutes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

KEEP_SECONDS: Final = 600.0
MAX_BYTES: Final = 16 * 2**20
"""Answers kept; the oldest leave first."""
_OVERHEAD: Final = 500


class Answer(NamedTuple):
    """What was answered, and when."""

    at: float
    status: int
    content: bytes


class Answers:
    """Answers by key; time is given, never read."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Answer] = {}
        self._bytes = 0

    def keep(self, key: bytes, answer: Answer) -> None:
        """Keep an answer, and drop what is too old or too much."""
        self._drop(key)
        self._kept[key] = answer
        self._bytes += _size(key, answer)
        while self._kept:
            other, known = next(iter(self._kept.items()))
            if answer.at - known.at < KEEP_SECONDS and self._bytes <= MAX_BYTES:
                return
            self._drop(other)

    def get(self, key: bytes, now: float) -> Answer | None:
        """Return the answer kept under a key, ``None`` where there is none any more."""
        known = self._kept.get(key)
        return known if known is not None and now - known.at < KEEP_SECONDS else None

    def dump(self) -> list[Any]:
        """Return everything as plain objects."""
        return [[key, list(answer)] for key, answer in self._kept.items()]

    def load(self, dumped: Iterable[Any]) -> None:
        """Take what was dumped."""
        for key, answer in dumped:
            self.keep(key, Answer(*answer))

    def _drop(self, key: bytes) -> None:
        known = self._kept.pop(key, None)
        if known is not None:
            self._bytes -= _size(key, known)


def _size(key: bytes, answer: Answer) -> int:
    return len(key) + len(answer.content) + _OVERHEAD
