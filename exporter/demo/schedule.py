"""When the demo's world changes and recovers: a pure function of the time since the start."""

import dataclasses
import math

SHORTEST_COMPLETE = 45.0
"""A shorter run may end before the alert is resolved."""

_CYCLE = 300.0
_CHANGE_AFTER = 60.0
# The change is long in the one-minute window or short in it: at the edge an alert would flutter.
_LONG_CHANGE, _SHORT_CHANGE, _SHORTEST_CHANGE = 45.0, 20.0, 12.0
_LONG_RUN = 180.0
_TO_RESOLVE = 25.0


@dataclasses.dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time in which the world stays as it is; times in seconds since the start."""

    changed: bool
    start: float
    end: float


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """Seconds: the world changes `change_after` into every cycle, for `change_for`."""

    change_after: float
    change_for: float
    cycle: float

    def phase(self, elapsed: float) -> Phase:
        """Return the phase that holds `elapsed` seconds after the start."""
        change = math.floor((elapsed - self.change_after) / self.cycle) * self.cycle
        change += self.change_after
        recovery = change + self.change_for
        if change <= elapsed < recovery:
            return Phase(changed=True, start=change, end=recovery)
        return Phase(changed=False, start=max(0.0, recovery), end=change + self.cycle)


def plan(duration: float | None, change_after: float | None = None) -> Schedule:
    """Return a schedule for a run of so many seconds (None: without end).

    A run with an end has its first change early enough for the alert to be resolved before the
    end. After that the world changes every five minutes, so seldom that the five-minute window
    stays within the limit.
    """
    change_for = _LONG_CHANGE
    usual = _CHANGE_AFTER
    if duration is not None:
        change_for = _change_for(duration)
        latest = max(duration - change_for - _TO_RESOLVE, duration / 4)
        usual = min(_CHANGE_AFTER, latest, duration * 3 / 8)
    after = usual if change_after is None else change_after
    return Schedule(after, change_for, max(_CYCLE, after + change_for))


def _change_for(duration: float) -> float:
    if duration >= _LONG_RUN:
        return _LONG_CHANGE
    return min(_SHORT_CHANGE, max(_SHORTEST_CHANGE, duration / 6))
