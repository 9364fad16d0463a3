"""Reads all GPUs of one driver in the background: a thread a GPU, so that each may hang alone.

No call into a driver has a deadline: it may take seconds, or never return. So nobody waits for one.
A thread that hangs is left where it is; what it read last becomes stale, which is all that a scrape
sees of it. Threads are daemons: the end of the process does not wait for them either.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from exporter.gpu.board import Board
from exporter.gpu.driver import (
    Driver,
    DriverGone,
    Errors,
    Gpu,
    GpuError,
    GpuForbidden,
    NoDriver,
)

log = logging.getLogger("modelmeter.gpu")

STALE_INTERVALS: Final = 5
STALE_SECONDS: Final = 5.0
"""A sample older than so many intervals, and so many seconds, is dropped: its GPU is not up."""
LOOK_SECONDS: Final = 60.0
"""How often a driver that is not there is looked for, and one with a lost GPU opened anew."""
REOPEN_SECONDS: Final = 10.0
"""How often a driver that fails is opened anew."""
LISTEN_SECONDS: Final = 0.5
"""How long one wait for errors lasts, and so the end of listening."""
END_SECONDS: Final = 1.0
"""How long threads are waited for, all together, when they are to end."""


@dataclass(frozen=True)
class Pace:
    """How often things are done, in seconds."""

    interval: float
    look: float = LOOK_SECONDS
    reopen: float = REOPEN_SECONDS
    stale_seconds: float = STALE_SECONDS

    @property
    def stale(self) -> float:
        """How old a sample may be."""
        return max(self.stale_seconds, STALE_INTERVALS * self.interval)


@dataclass(frozen=True)
class Times:
    """The time: seconds that never step, and Unix seconds that may."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


@dataclass
class _Session:
    """A driver between its opening and its end."""

    count: int
    """How many GPUs there are."""
    forbidden: set[int] = field(default_factory=set)
    ended: threading.Event = field(default_factory=threading.Event)
    gone: GpuError | None = None
    """Why the driver has to be opened anew."""


class Sampler:
    """Keeps a board filled; :meth:`start` and :meth:`end` it once."""

    def __init__(
        self,
        driver: Driver,
        board: Board,
        times: Times,
        pids: Callable[[], Collection[int]],
        pace: Pace,
        missing: int = logging.INFO,
    ) -> None:
        """``pids`` are the model server's processes; a lack of GPUs is logged as ``missing``."""
        self._driver = driver
        self._times = times
        self._pids = pids
        self.pace = pace
        self._missing = missing
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._threads: dict[int | str, threading.Thread] = {}
        self._calls: dict[int, float] = {}
        self._opening: float | None = None
        self._told: dict[object, str] = {}
        self.board = board
        self.absent = True
        """Whether there is no driver, or no GPU."""
        self.failed = False
        """Whether there is a driver that could not be opened."""
        self.denied: frozenset[str] = frozenset()
        """What there is no right to read."""

    def start(self) -> None:
        """Begin to read."""
        self._spawn("all", self._run)

    def end(self) -> None:
        """End what can end, and wait for that but shortly."""
        self._stopping.set()
        self._wake.set()
        self._threads["all"].join(END_SECONDS)

    def failing(self) -> bool:
        """Return whether there is a driver that does not work, or does not answer."""
        now, opening = self._times.monotonic(), self._opening
        return self.failed or (opening is not None and now - opening > self.pace.stale)

    def _run(self) -> None:
        while not self._stopping.is_set():
            session = self._open()
            if session is None:
                self._stopping.wait(self.pace.look if self.absent else self.pace.reopen)
            else:
                pause = self._attend(session)
                self._end(session)
                if session.gone is not None:
                    self.board.fail_all()
                self._stopping.wait(pause)

    def _open(self) -> _Session | None:
        """Open the driver and begin to read its GPUs; ``None`` where that cannot be."""
        self._opening = self._times.monotonic()
        try:
            count = self._driver.open()
            if not count:
                self._driver.close()
                raise NoDriver("the driver knows of no GPU")
        except NoDriver as error:
            self.absent, self.failed = True, False
            self._tell("driver", f"no {self._driver.name} GPU is read: {error}", self._missing)
            return None
        except Exception as error:
            self.absent, self.failed = False, True
            self._tell("driver", f"{self._driver.name} GPUs cannot be read: {error}")
            return None
        finally:
            self._opening = None
        self.absent, self.failed = False, False
        self._tell("driver", f"{self._driver.name} GPUs that are read: {count}", logging.INFO)
        self.board.expect(count, self._times.monotonic())
        session = _Session(count)
        for index in range(count):
            self._spawn(index, self._read, session, index)
        self._spawn("errors", self._listen, session, count)
        return session

    def _attend(self, session: _Session) -> float:
        """Watch over the threads until the driver is to be opened anew; return the pause before."""
        since = self._times.monotonic()
        while True:
            self._wake.wait(min(self.pace.stale, self.pace.look))
            self._wake.clear()
            now = self._times.monotonic()
            if self._stopping.is_set():
                return 0.0
            if session.gone is not None:
                self.failed = True
                self._tell("driver", f"the {self._driver.name} driver is gone: {session.gone}")
                return self.pace.reopen
            hung = [i for i, began in list(self._calls.items()) if now - began > self.pace.stale]
            for index in hung:
                self._tell(index, f"GPU {index}: the driver does not answer")
            # While a call hangs the driver must not be closed; what hangs may yet come back.
            troubled = self.failed or self.board.failing(now)
            if not hung and troubled and now - since >= self.pace.look:
                return 0.0

    def _end(self, session: _Session) -> None:
        """End the threads of a session, and close the driver unless one of them hangs in it."""
        session.ended.set()
        until = self._times.monotonic() + END_SECONDS
        others = [thread for name, thread in self._threads.items() if name != "all"]
        for thread in others:
            thread.join(max(0.0, until - self._times.monotonic()))
        if not any(thread.is_alive() for thread in others):
            self._driver.close()

    def _spawn(self, name: int | str, work: Callable[..., None], *arguments: object) -> None:
        """Start a thread, unless the last of its name still hangs."""
        last = self._threads.get(name)
        if last is None or not last.is_alive():
            thread = threading.Thread(
                target=work, args=arguments, name=f"gpu-{self._driver.name}-{name}", daemon=True
            )
            self._threads[name] = thread
            thread.start()

    def _read(self, session: _Session, index: int) -> None:
        """Read one GPU again and again."""
        gpu: Gpu | None = None
        while not session.ended.is_set():
            self._calls[index] = self._times.monotonic()
            try:
                gpu = gpu or self._driver.gpu(index)
                readings = gpu.read(self._own_pids(), self._times.monotonic())
            except GpuForbidden:
                self._forbid(session, index)
                return
            except Exception as error:
                gpu = None
                self._failed(session, index, error)
            else:
                if not session.ended.is_set():
                    times = self._times
                    self.board.take(index, readings, times.monotonic(), times.wall())
                    self._deny(frozenset().union(*(sample.denied for _, sample in readings)))
                    self._tell(index, "")
            finally:
                del self._calls[index]
            session.ended.wait(self.pace.interval)

    def _failed(self, session: _Session, index: int, error: Exception) -> None:
        self.board.fail(index)
        if isinstance(error, DriverGone):
            session.gone = error
            self._wake.set()
        else:
            self._tell(index, f"GPU {index} cannot be read: {error}")

    def _forbid(self, session: _Session, index: int) -> None:
        """Leave a GPU alone that was given to others; that none is ours is a failure."""
        self.board.leave(index)
        session.forbidden.add(index)
        if len(session.forbidden) == session.count:
            self.failed = True
            self._tell("driver", f"no permission to read any {self._driver.name} GPU")

    def _listen(self, session: _Session, count: int) -> None:
        """Count the errors that the driver reports."""
        try:
            errors = self._driver.errors(count)
        except GpuError:
            return
        if errors is None:
            return
        for index in errors.gpus:
            self.board.listen(index)
        while not session.ended.is_set():
            self._hear(session, errors)
        errors.close()

    def _hear(self, session: _Session, errors: Errors) -> None:
        try:
            error = errors.wait(LISTEN_SECONDS)
        except GpuError:
            # The GPU's own thread tells of it.
            session.ended.wait(self.pace.interval)
        else:
            if error is not None:
                self.board.error(*error)
                log.warning("GPU %d: XID error %d", *error)

    def _own_pids(self) -> Collection[int]:
        try:
            return self._pids()
        except Exception as error:
            self._tell("pids", f"the model server's processes cannot be matched: {error}")
            return ()

    def _deny(self, denied: frozenset[str]) -> None:
        if denied - self.denied:
            what = ", ".join(sorted(denied))
            self._tell("denied", f"no permission to read of {self._driver.name} GPUs: {what}")
        self.denied |= denied

    def _tell(self, of: object, message: str, level: int = logging.WARNING) -> None:
        """Log what is new of something; an empty message says that it is well again."""
        if self._told.get(of, "") != message:
            self._told[of] = message
            if message:
                log.log(level, "%s", message)
            else:
                log.info("GPU %s is read again", of)
