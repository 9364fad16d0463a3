"""The last that is known of each GPU: filled by the threads that read, shown at scrapes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.config import WindowSpec
from exporter.gpu.device import XIDS, Device, Reading, Sample
from exporter.gpu.history import History


@dataclass(frozen=True)
class Shown:
    """What there is to tell of one device."""

    device: Device
    up: bool | None
    """Whether it answers; ``None`` before it had time to."""
    sample: Sample | None
    """What it showed last; ``None`` where that is too long ago."""
    sampled_at: float | None
    """When that was, in Unix seconds, however long ago."""
    use: Mapping[str, Mapping[str, float]]
    throttled: Mapping[str, Mapping[str, float]]
    xids: Mapping[int, int]


@dataclass
class _Entry:
    device: Device
    since: float
    history: History
    failed: bool = False
    sample: Sample | None = None
    at: float | None = None
    wall: float | None = None


@dataclass
class Board:
    """All devices of one driver; a sample older than ``stale`` seconds is dropped."""

    windows: Sequence[WindowSpec]
    stale: float
    """Seconds."""
    _entries: dict[int, dict[str | None, _Entry]] = field(default_factory=dict)
    _missing: dict[str, _Entry] = field(default_factory=dict)
    """GPUs that the driver no longer counts, by their ids: they stay visible."""
    _listened: set[int] = field(default_factory=set)
    _xids: dict[str | int, Counter[int]] = field(default_factory=dict)
    """By the GPU's id, and by its number as long as that is all that is known of it."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def configure(self, windows: Sequence[WindowSpec], stale: float, now: float) -> None:
        """Take other settings; where the windows are others, they start anew."""
        with self._lock:
            self.stale = stale
            if tuple(windows) != tuple(self.windows):
                self.windows = windows
                known = [one for entries in self._entries.values() for one in entries.values()]
                for entry in (*known, *self._missing.values()):
                    entry.history = History(windows, now)

    def expect(self, count: int, now: float) -> None:
        """Note that the driver counts so many GPUs."""
        with self._lock:
            self._listened.clear()
            for index in [index for index in self._entries if index >= count]:
                self._miss(self._entries.pop(index))
            for index in range(count):
                if index not in self._entries:
                    self._entries[index] = {None: self._entry(Device(str(index)), now)}

    def take(self, index: int, readings: Iterable[Reading], now: float, wall: float) -> None:
        """Take what a GPU and its instances showed; instances that are not among them left."""
        with self._lock:
            before = self._entries.get(index, {})
            after: dict[str | None, _Entry] = {}
            for device, sample in readings:
                entry = before.get(device.mig)
                if entry is None or entry.device != device:
                    entry = self._moved(index, device) or self._entry(device, now)
                    entry.device = device
                else:
                    del before[device.mig]
                entry.failed, entry.sample, entry.at, entry.wall = False, sample, now, wall
                entry.history.add(sample, now)
                if device.mig is None and index in self._xids:
                    self._xids.setdefault(device.uuid, Counter()).update(self._xids.pop(index))
                after[device.mig] = entry
            self._miss(before)
            self._entries[index] = after

    def fail(self, index: int) -> None:
        """Note that a GPU does not answer."""
        with self._lock:
            self._fail(self._entries.get(index, {}))

    def fail_all(self) -> None:
        """Note that no GPU answers."""
        with self._lock:
            for entries in self._entries.values():
                self._fail(entries)

    def leave(self, index: int) -> None:
        """Show nothing of a GPU."""
        with self._lock:
            self._entries.pop(index, None)

    def listen(self, index: int) -> None:
        """Note that errors of a GPU are listened to: those to be feared count from 0."""
        with self._lock:
            self._listened.add(index)

    def error(self, index: int, xid: int) -> None:
        """Count an error of a GPU."""
        with self._lock:
            whole = self._entries.get(index, {}).get(None)
            known = whole.device.uuid if whole is not None else ""
            self._xids.setdefault(known or index, Counter())[xid] += 1

    def known(self) -> bool:
        """Return whether there is, or was, any GPU."""
        with self._lock:
            return bool(self._entries or self._missing)

    def failing(self, now: float) -> bool:
        """Return whether a GPU does not answer."""
        with self._lock:
            known = [entry for entries in self._entries.values() for entry in entries.values()]
            return bool(self._missing) or any(self._up(entry, now) is False for entry in known)

    def shown(self, now: float) -> list[Shown]:
        """Return what there is to tell of all devices, ordered."""
        with self._lock:
            there = [
                self._shown(entry, index in self._listened, now)
                for index, entries in sorted(self._entries.items())
                for entry in entries.values()
            ]
            return there + [self._shown(entry, False, now) for entry in self._missing.values()]

    def _entry(self, device: Device, now: float) -> _Entry:
        return _Entry(device, now, History(self.windows, now))

    def _moved(self, index: int, device: Device) -> _Entry | None:
        """Return a known GPU that has another number now: a driver that is opened counts anew."""
        for other, entries in self._entries.items():
            if other != index and None in entries and entries[None].device.uuid == device.uuid:
                return self._entries.pop(other)[None]
        return self._missing.pop(device.uuid, None)

    def _miss(self, entries: Mapping[str | None, _Entry]) -> None:
        """Keep a GPU visible that was known; its instances, which are made and unmade, are not."""
        whole = entries.get(None)
        if whole is not None and whole.device.uuid:
            self._fail({None: whole})
            self._missing[whole.device.uuid] = whole

    @staticmethod
    def _fail(entries: Mapping[str | None, _Entry]) -> None:
        for entry in entries.values():
            entry.failed, entry.sample = True, None

    def _up(self, entry: _Entry, now: float) -> bool | None:
        if entry.failed:
            return False
        if entry.at is None:
            return None if now - entry.since <= self.stale else False
        return now - entry.at <= self.stale

    def _shown(self, entry: _Entry, listened: bool, now: float) -> Shown:
        up, device = self._up(entry, now), entry.device
        xids = dict.fromkeys(XIDS, 0) if listened and device.uuid else {}
        return Shown(
            device,
            up,
            entry.sample if up else None,
            entry.wall,
            entry.history.use(now),
            entry.history.throttled(now),
            {**xids, **self._xids.get(device.uuid, {})} if device.mig is None else {},
        )
