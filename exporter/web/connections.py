"""All open connections: how many there may be, how long each may take, and who goes first.

Nothing here knows a socket: the listener and the protocol tell what happens, and when.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from exporter.collectors.own import Requests

RESERVED_FILES: Final = 128
"""File descriptors that connections leave to everything else."""


class State(Enum):
    """What a connection waits for. Those that come first here make room first."""

    __hash__ = object.__hash__  # an Enum's own is written in Python, and asked for each request

    HANDSHAKE = "the client's part of TLS"
    HEAD = "the head of a request"
    LINGER = "the client to see a refusal"
    IDLE = "another request"
    REST = "what is left of a body that is answered"
    CLOSING = "the last bytes to be taken"
    BODY = "a body that somebody reads"
    WRITING = "the client to take an answer"
    WORKING = "us"


@dataclass(frozen=True)
class Limits:
    """Bounds on connections. Times are in seconds."""

    connections: int = 1024
    """All together."""
    held_bytes: int = 64 * 2**20
    """Answers that were not taken and parts of bodies that nobody reads, all together."""
    head_bytes: int = 16 * 1024
    headers: int = 100
    pipelined: int = 32
    """Requests of one connection that wait behind the one being answered."""
    handshake_seconds: float = 10.0
    head_seconds: float = 10.0
    idle_seconds: float = 75.0
    rest_seconds: float = 30.0
    write_seconds: float = 30.0
    linger_seconds: float = 2.0

    def seconds(self) -> dict[State, float]:
        """Return how long each state may last; the others last as long as the request."""
        return {
            State.HANDSHAKE: self.handshake_seconds,
            State.HEAD: self.head_seconds,
            State.LINGER: self.linger_seconds,
            State.IDLE: self.idle_seconds,
            State.REST: self.rest_seconds,
            State.CLOSING: self.write_seconds,
            State.WRITING: self.write_seconds,
        }


DEFAULTS: Final = Limits()


class Held(Protocol):
    """A connection as it is seen from here."""

    state: State | None

    def held_bytes(self) -> int:
        """Return the bytes that wait for the client or for a reader."""

    def late(self) -> None:
        """Its state has lasted too long."""

    def drop(self) -> None:
        """Go at once."""


class Connections:
    """Every connection by what it waits for, the one that waits longest first."""

    def __init__(self, limits: Limits, requests: Requests) -> None:
        self.limits = limits
        self.requests = requests
        self._seconds = limits.seconds()
        self._waiting: dict[State, dict[Held, float]] = {state: {} for state in State}
        self._added = 0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def working(self) -> int:
        """Return how many wait for us."""
        return len(self._waiting[State.WORKING])

    def enter(self, one: Held, state: State, now: float) -> None:
        """Let a connection wait for something else from now on."""
        if one.state is not None:
            self._waiting[one.state].pop(one, None)
        one.state = state
        self._waiting[state][one] = now

    def leave(self, one: Held) -> None:
        """Forget a connection."""
        if one.state is not None:
            self._waiting[one.state].pop(one, None)
        one.state = None

    def expire(self, now: float) -> None:
        """Tell every connection that has been too long in its state."""
        for state, seconds in self._seconds.items():
            waiting = self._waiting[state]
            late = []
            for one, since in waiting.items():
                if now - since < seconds:
                    break
                late.append(one)
            for one in late:
                one.late()

    def make_room(self) -> bool:
        """Return whether there is room for one more; at the bound, somebody has to go for it.

        Those go first that have not said what they want, then those that want nothing, then those
        whose request or answer takes longest to pass. Who waits for us stays.
        """
        if len(self) < self.limits.connections:
            return True
        for state in State:
            if state is not State.WORKING and self._waiting[state]:
                self._drop(next(iter(self._waiting[state])))
                return True
        return False

    def added(self, size: int) -> None:
        """Take note of bytes that are held; over the bound, who holds most has to go."""
        self._added += size
        if self._added <= self.limits.held_bytes:
            return
        held = {one: one.held_bytes() for ones in self._waiting.values() for one in ones}
        self._added = sum(held.values())
        while self._added > self.limits.held_bytes:
            most = max(held, key=held.__getitem__)
            self._added -= held.pop(most)
            self._drop(most)

    def _drop(self, one: Held) -> None:
        self.leave(one)
        self.requests.closed["limit"] += 1
        one.drop()


def most_connections(wanted: int) -> int:
    """Return how many connections file descriptors are enough for, at most ``wanted``.

    The process may open as many as it is ever allowed to from now on.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, hard - min(RESERVED_FILES, hard // 2)))
