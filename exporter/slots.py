"""A bounded table of ids: dictionary -> slot in numpy columns, oldest out first.

A pending prediction costs under 200 bytes here. Columns are taken from the system only as they are
touched, so a high bound costs nothing until it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from exporter.events import Value

FREE: Final = 0
PENDING: Final = 1
"""A prediction that waits for its label."""
WAITING: Final = 2
"""A label that waits for its prediction."""
JOINED: Final = 3
"""A prediction or a label that met the other; kept so that a repeat is known."""

Slots = NDArray[np.int64]
States = NDArray[np.uint8]
_TICKS_PER_SECOND: Final = 10
_COLUMNS: Final = ("state", "ts", "value", "code", "_owner", "_arrival")


@dataclass(eq=False)
class Owner:
    """The ids of one model version, or of a model's labels that name no version."""

    number: int
    slots: dict[str, int] = field(default_factory=dict)
    pending: int = 0
    waiting: int = 0
    expired_ttl: int = 0
    expired_capacity: int = 0
    orphaned: int = 0


@dataclass
class Entries:
    """Ids to be kept: columns of equal length."""

    ids: Sequence[str]
    ts: Sequence[float] | NDArray[np.float64]
    code: Sequence[int] | NDArray[np.int64] | None = None
    value: Sequence[float] | NDArray[np.float64] | None = None
    extra: Sequence[Any] | None = None
    truth: Sequence[Value] | None = None

    def take(self, which: Sequence[int]) -> Entries:
        """Return the entries at the positions ``which``."""
        if len(which) == len(self.ids):
            return self
        columns = (self.ids, self.ts, self.code, self.value, self.extra, self.truth)
        return Entries(*[None if c is None else [c[i] for i in which] for c in columns])  # type: ignore[arg-type]


class SlotQueue:
    """Slots in order of entry. A slot that is freed is passed over."""

    def __init__(self, slots: int) -> None:
        self._entries = np.zeros(2 * slots, np.int32)
        self._serial = np.zeros(slots, np.uint32)
        self._head = self._tail = 0

    def push(self, slots: Slots) -> None:
        """Append ``slots``."""
        if self._tail + len(slots) > len(self._entries):
            self._compact()
        end = self._tail + len(slots)
        self._entries[self._tail : end] = slots
        # A serial is the place plus one: 0 is a slot that is in no queue.
        self._serial[slots] = np.arange(self._tail + 1, end + 1, dtype=np.uint32)
        self._tail = end

    def forget(self, slots: Slots) -> None:
        """Take ``slots`` out, wherever they stand."""
        self._serial[slots] = 0

    def every(self) -> Slots:
        """Return all slots, in order."""
        return self._live(self._head, self._tail).astype(np.int64)

    def first(self, count: int) -> Slots:
        """Return the first ``count`` slots, or as many as there are."""
        found: list[NDArray[np.int32]] = []
        missing, place, step = count, self._head, max(2 * count, 64)
        while place < self._tail and missing > 0:
            end = min(self._tail, place + step)
            live = self._live(place, end)[:missing]
            if not found and not len(live):
                self._head = end
            else:
                found.append(live)
            missing -= len(live)
            place = end
        return np.concatenate(found).astype(np.int64) if found else np.zeros(0, np.int64)

    def _live(self, start: int, end: int) -> NDArray[np.int32]:
        entries = self._entries[start:end]
        serials = np.arange(start + 1, end + 1, dtype=np.uint32)
        live: NDArray[np.int32] = entries[self._serial[entries] == serials]
        return live

    def _compact(self) -> None:
        live = self._live(self._head, self._tail)
        self._entries[: len(live)] = live
        self._serial[live] = np.arange(1, len(live) + 1, dtype=np.uint32)
        self._head, self._tail = 0, len(live)


class SlotTable:
    """At most ``bound`` ids over all owners, none older than ``ttl`` seconds.

    When it is full, joined ids go first, then whatever came first. What leaves is counted at its
    owner.
    """

    def __init__(self, bound: int, ttl: float) -> None:
        self.bound = bound
        self.ttl = ttl
        self.used = 0
        self.ids: list[str | None] = []
        self.state = np.zeros(bound, np.uint8)
        self.ts = np.zeros(bound, np.float64)
        self.value = np.zeros(bound, np.float64)
        self.code = np.zeros(bound, np.int16)
        self.extra: dict[int, Any] = {}
        self.truth: dict[int, Value] = {}
        self._owner = np.zeros(bound, np.uint16)
        self._arrival = np.zeros(bound, np.uint32)
        self._owners: dict[int, Owner] = {}
        self._free_numbers: list[int] = []
        self._free = np.zeros(bound, np.int32)
        self._free_count = 0
        self._arrived = SlotQueue(bound)
        self._joined = SlotQueue(bound)
        self._epoch: float | None = None

    def owner(self) -> Owner:
        """Return a new owner of ids."""
        number = self._free_numbers.pop() if self._free_numbers else len(self._owners)
        self._owners[number] = Owner(number)
        return self._owners[number]

    def release(self, owner: Owner) -> None:
        """Forget ``owner`` and all its ids, uncounted."""
        self._drop(np.fromiter(owner.slots.values(), np.int64, len(owner.slots)))
        del self._owners[owner.number]
        self._free_numbers.append(owner.number)

    def dump(self) -> dict[str, Any]:
        """Return copies of all ids and their owners: plain objects and arrays, by slot."""
        size = len(self.ids)
        return {
            "bound": self.bound,
            "epoch": self._epoch,
            **{name: getattr(self, name)[:size].copy() for name in _COLUMNS},
            "arrived": self._arrived.every(),
            "joined": self._joined.every(),
            "owners": [
                (one.number, one.expired_ttl, one.expired_capacity, one.orphaned)
                for one in self._owners.values()
            ],
            "free_numbers": list(self._free_numbers),
            "ids": list(self.ids),
            "extra": list(self.extra.items()),
            "truth": list(self.truth.items()),
        }

    def load(self, dumped: Mapping[str, Any], extra: Callable[..., Any]) -> None:
        """Take the ids that were dumped, into an empty table that has room for them.

        ``extra`` makes what is remembered beside the columns.
        """
        slots: Slots = dumped["arrived"]
        size = len(slots)
        place = np.zeros(len(dumped["ids"]), np.int64)
        place[slots] = np.arange(size)
        self._epoch, self.used = dumped["epoch"], size
        self.ids = [dumped["ids"][slot] for slot in slots.tolist()]
        for name in _COLUMNS:
            getattr(self, name)[:size] = dumped[name][slots]
        self.extra = {int(place[slot]): extra(*values) for slot, values in dumped["extra"]}
        self.truth = {int(place[slot]): value for slot, value in dumped["truth"]}
        self._arrived.push(np.arange(size))
        self._joined.push(place[dumped["joined"]])
        self._free_numbers = list(dumped["free_numbers"])
        for number, ttl, capacity, orphaned in dumped["owners"]:
            owner = Owner(number, {}, 0, 0, ttl, capacity, orphaned)
            mine = np.flatnonzero(self._owner[:size] == number)
            owner.slots = {key: i for i in mine.tolist() if (key := self.ids[i]) is not None}
            owner.pending = int(np.count_nonzero(self.state[mine] == PENDING))
            owner.waiting = int(np.count_nonzero(self.state[mine] == WAITING))
            self._owners[number] = owner

    def owned(self, number: int) -> Owner:
        """Return the owner with a number."""
        return self._owners[number]

    def shrink(self, bound: int) -> None:
        """Keep at most ``bound`` ids: others leave as when there is no room."""
        self._make_room(self.bound - bound)

    def insert(self, owner: Owner, entries: Entries, state: States, now: float) -> None:
        """Keep new ids of ``owner``, each in its ``state``; make room for them if need be."""
        for start in range(0, len(entries.ids), self.bound):
            which = range(start, min(start + self.bound, len(entries.ids)))
            self._insert(owner, entries.take(which), state[which.start : which.stop], now)

    def insert_new(self, owner: Owner, entries: Entries, state: States, now: float) -> bool:
        """Keep ids of ``owner`` if there is room and each of them is new; else change nothing."""
        if self.used + len(entries.ids) > self.bound:
            return False
        slots = self._next(len(entries.ids))
        numbers, known = slots.tolist(), owner.slots
        # Each id is looked for and kept in one go: one that was there has another slot.
        if list(map(known.setdefault, entries.ids, numbers)) != numbers:
            for key, number in zip(entries.ids, numbers, strict=True):
                if known.get(key) == number:
                    del known[key]
            return False
        self._keep(owner, slots, numbers, entries, state, now)
        return True

    def settle(self, owner: Owner, slots: Slots) -> None:
        """Make the pending or waiting ``slots`` of ``owner`` joined."""
        before = self.state[slots]
        owner.pending -= int(np.count_nonzero(before == PENDING))
        owner.waiting -= int(np.count_nonzero(before == WAITING))
        self.state[slots] = JOINED
        self._joined.push(slots)

    def expire(self, now: float) -> None:
        """Drop the ids that are older than the time to live."""
        limit = self._tick(now) - int(self.ttl * _TICKS_PER_SECOND)
        count = 1
        while limit > 0:
            oldest = self._arrived.first(count)
            oldest = oldest[self._arrival[oldest] < limit]
            if not len(oldest):
                return
            self._evict(oldest, by_ttl=True)
            count = 1024

    def _tick(self, now: float) -> int:
        if self._epoch is None:
            self._epoch = now
        return max(0, int((now - self._epoch) * _TICKS_PER_SECOND)) + 1

    def _insert(self, owner: Owner, entries: Entries, state: States, now: float) -> None:
        self._make_room(len(entries.ids))
        slots = self._next(len(entries.ids))
        numbers = slots.tolist()
        owner.slots.update(zip(entries.ids, numbers, strict=True))
        self._keep(owner, slots, numbers, entries, state, now)

    def _keep(
        self,
        owner: Owner,
        slots: Slots,
        numbers: Sequence[int],
        entries: Entries,
        state: States,
        now: float,
    ) -> None:
        """Fill the slots that come next, for ids that the owner knows by them."""
        self._allocate(slots, numbers, entries.ids)
        self._owner[slots] = owner.number
        self._arrival[slots] = self._tick(now)
        self.state[slots] = state
        self.ts[slots] = entries.ts
        self.value[slots] = np.nan if entries.value is None else entries.value
        self.code[slots] = 0 if entries.code is None else entries.code
        _keep(self.extra, numbers, entries.extra)
        _keep(self.truth, numbers, entries.truth)
        owner.pending += int(np.count_nonzero(state == PENDING))
        owner.waiting += int(np.count_nonzero(state == WAITING))
        self._arrived.push(slots)
        self._joined.push(slots[state == JOINED])

    def _next(self, count: int) -> Slots:
        """Return the slots that come next: first those that are free, then new ones."""
        reused = min(count, self._free_count)
        slots = np.empty(count, np.int64)
        slots[:reused] = self._free[self._free_count - reused : self._free_count]
        start = len(self.ids)
        slots[reused:] = np.arange(start, start + count - reused)
        return slots

    def _allocate(self, slots: Slots, numbers: Sequence[int], ids: Sequence[str]) -> None:
        """Take the slots that come next for ``ids``."""
        reused = min(len(ids), self._free_count)
        self._free_count -= reused
        for slot, key in zip(numbers[:reused], ids, strict=False):
            self.ids[slot] = key
        self.ids.extend(ids[reused:])
        self.used += len(ids)

    def _make_room(self, count: int) -> None:
        over = self.used + count - self.bound
        for queue in (self._joined, self._arrived):
            while over > 0:
                oldest = queue.first(over)
                if not len(oldest):
                    break
                self._evict(oldest, by_ttl=False)
                over -= len(oldest)

    def _evict(self, slots: Slots, *, by_ttl: bool) -> None:
        numbers, states = self._owner[slots].tolist(), self.state[slots].tolist()
        for number, state in zip(numbers, states, strict=True):
            owner = self._owners[number]
            if state == WAITING:
                owner.orphaned += 1
            elif state == PENDING and by_ttl:
                owner.expired_ttl += 1
            elif state == PENDING:
                owner.expired_capacity += 1
        self._drop(slots)

    def _drop(self, slots: Slots) -> None:
        """Free ``slots`` and forget their ids."""
        numbers, states = self._owner[slots].tolist(), self.state[slots].tolist()
        for slot, number, state in zip(slots.tolist(), numbers, states, strict=True):
            owner, key = self._owners[number], self.ids[slot]
            if key is not None:
                owner.slots.pop(key, None)
            self.ids[slot] = None
            owner.pending -= state == PENDING
            owner.waiting -= state == WAITING
            self.extra.pop(slot, None)
            self.truth.pop(slot, None)
        self.state[slots] = FREE
        self._arrived.forget(slots)
        self._joined.forget(slots)
        self._free[self._free_count : self._free_count + len(slots)] = slots
        self._free_count += len(slots)
        self.used -= len(slots)


def _keep(column: dict[int, Any], slots: Sequence[int], values: Sequence[Any] | None) -> None:
    if values is not None:
        column.update(
            (slot, value) for slot, value in zip(slots, values, strict=True) if value is not None
        )
