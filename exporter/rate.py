"""A token bucket: so many a second on average, and a second's worth or a stated burst at once."""

from __future__ import annotations


class RateLimit:
    """Allows ``rate`` events a second, ``burst`` at once; rate ``None`` allows any number."""

    def __init__(self, rate: float | None, burst: float | None = None) -> None:
        self._rate = rate
        self._burst = burst or rate or 0.0
        self._tokens = self._burst
        self._at: float | None = None

    def take(self, events: int, now: float) -> float:
        """Take ``events`` from the bucket; return 0, or the seconds to wait before trying again.

        A body larger than the bucket passes when the bucket is full, and leaves it in debt.
        """
        if self._rate is None:
            return 0.0
        elapsed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._tokens = min(self._burst, self._tokens + elapsed * self._rate)
        needed = min(float(events), self._burst)
        if self._tokens < needed:
            return (needed - self._tokens) / self._rate
        self._tokens -= events
        return 0.0
