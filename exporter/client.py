"""Sends predictions and labels to a modelmeter, from inside a model server.

    client = Client("http://localhost:9920")
    client.log("fraud", version="3", id="a1", score=0.93, features={"amount": 41.5})
    client.label("fraud", "a1", 1)

``log`` and ``label`` may be called from any thread and from coroutines. They write the event as
JSON into a bounded queue and return; a thread of the client's own sends what waits. Neither waits
for the network, and neither raises: what cannot be sent is counted (:meth:`Client.counts`).

This file is part of modelmeter (Apache-2.0) and stands alone: it needs Python's standard library
only, and may be copied into another project as it is.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import contextvars
import email.utils
import encodings.idna  # noqa: F401 - else the first connection does, and a fork keeps its lock
import functools
import gzip
import http.client
import json
import logging
import math
import os
import random
import ssl
import threading
import time
import uuid
import weakref
from collections import Counter, deque
from collections.abc import (
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

__all__ = ["Client", "Counts", "LatencyMiddleware", "timed"]

_log: Final = logging.getLogger("modelmeter.client")

FIRST_WAIT_SECONDS: Final = 0.25
LONGEST_WAIT_SECONDS: Final = 30.0
LONGEST_RETRY_SECONDS: Final = 540.0
"""A modelmeter knows an ``Idempotency-Key`` for 600 seconds: no attempt may come after that."""
TELL_SECONDS: Final = 60.0
IDLE_SECONDS: Final = 30.0
"""After which a connection is not used again: servers close idle ones, modelmeter after 75."""
GZIP_BYTES: Final = 32 * 1024
MAX_ANSWER_BYTES: Final = 1 << 20
EVENT_OVERHEAD: Final = 64
"""Bytes that an event takes beside its text."""
SMALLEST_BATCH_BYTES: Final = 1024


# ---- events: from arguments to a line of JSON ----


def _class_name(value: object) -> str:
    """Return the name of a class as modelmeter writes it: ``True``, ``1`` and ``1.0`` are ``1``."""
    if isinstance(value, str):
        return value
    plain = _simple(value)
    whole = isinstance(plain, float) and plain.is_integer() and abs(plain) < 1e16
    return str(int(plain)) if whole or isinstance(plain, bool) else str(plain)


def _simple(value: Any) -> Any:
    """Return what JSON can hold for a value of any other type. Raises TypeError.

    NumPy's scalars and arrays, tensors and the like are known by their ``item`` and ``tolist``.
    """
    if value is None or isinstance(value, (str, bool, int, float, list)):
        return value
    if isinstance(value, uuid.UUID):
        return str(value)
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas' signs for "missing"
        return None
    plain = _unwrapped(value)
    if isinstance(plain, (str, bool, int, float, list)):
        return plain
    if hasattr(type(plain), "__float__"):  # Decimal, Fraction, long doubles
        return float(plain)
    raise TypeError(f"{type(value).__name__} is no value of an event")


def _unwrapped(value: Any) -> Any:
    for name in ("item", "tolist"):
        convert = getattr(value, name, None)
        if callable(convert):
            with contextlib.suppress(Exception):  # `item` of an array of several
                return convert()
    return value


def _encoder(*, allow_nan: bool) -> Callable[[Any, int], Iterable[str]]:
    """Return what gives the parts of a value's JSON, at nesting level 0.

    :class:`json.JSONEncoder` sets its C part up anew for each value, which costs a tenth of an
    event: here it is set up once, where there is one. It finds no cycles: they nest too deeply.
    """
    text, make = json.encoder.encode_basestring, getattr(json.encoder, "c_make_encoder", None)
    with contextlib.suppress(TypeError):
        made = cast(Any, make)(None, _simple, text, None, ":", ",", False, False, allow_nan)
        return cast("Callable[[Any, int], Iterable[str]]", made)
    encode = json.JSONEncoder(
        ensure_ascii=False, allow_nan=allow_nan, separators=(",", ":"), default=_simple
    ).encode
    return lambda value, level: (encode(value),)


_FAST: Final = _encoder(allow_nan=False)
_ANY: Final = _encoder(allow_nan=True)


def _line(event: dict[str, Any]) -> bytes:
    """Return an event as a line of NDJSON. Raises what its values raise, or ValueError."""
    features = event.get("features")
    if features is not None and type(features) is not dict:
        event["features"] = dict(features)
    if event.get("scores") is not None:
        event["scores"] = {_class_name(key): one for key, one in dict(event["scores"]).items()}
    try:
        return "".join(_FAST(event, 0)).encode()
    except (ValueError, TypeError):
        return "".join(_ANY(_cleaned(event), 0)).encode()


def _cleaned(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event whose missing features (NaN) are null, and whose names are texts.

    NaN elsewhere is left to modelmeter, which says what is wrong with it.
    """
    clean = dict(event)
    for group in ("features", "segments"):
        if event.get(group) is not None:
            clean[group] = {_name(key): _simple(one) for key, one in dict(event[group]).items()}
    if (features := clean.get("features")) is not None:
        clean["features"] = {k: None if v != v else v for k, v in features.items()}
    return clean


def _name(key: Any) -> str:
    return key if isinstance(key, str) else str(_simple(key))


def _seconds_of(ts: Any) -> Any:
    """Return a time as modelmeter takes it; a datetime becomes Unix seconds."""
    stamp = getattr(ts, "timestamp", None)
    return stamp() if callable(stamp) else ts


def _told(error: BaseException) -> str:
    """Return an error as text, whatever its class makes of that."""
    with contextlib.suppress(Exception):
        return f"{type(error).__name__}: {error}"[:300]
    return "an error that cannot be shown"


# ---- the time that a prediction takes ----


class _Timing:
    """The time of one request; predictions logged in it wait for its end to learn their latency."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._start = time.perf_counter()
        self._held: list[tuple[_Buffer, bytes]] = []
        self.seconds: float | None = None

    def hold(self, buffer: _Buffer, line: bytes) -> bool:
        """Keep a line until the end; ``False`` where that has come already."""
        with self._lock:
            if self.seconds is not None:
                return False
            self._held.append((buffer, line))
            return True

    def finish(self) -> None:
        """Let go of what waits, with the time until now; the first end counts."""
        with self._lock:
            if self.seconds is not None:
                return
            self.seconds = seconds = time.perf_counter() - self._start
            held, self._held = self._held, []
        for buffer, line in held:
            buffer.release(line, seconds)


_TIMING: Final[contextvars.ContextVar[_Timing | None]] = contextvars.ContextVar(
    "modelmeter_timing", default=None
)


@contextlib.contextmanager
def timed() -> Iterator[_Timing]:
    """Give predictions logged in this block the block's duration as their ``latency_seconds``.

    They are sent when it ends, however it ends. One that is given a latency keeps it.
    """
    timing = _Timing()
    token = _TIMING.set(timing)
    try:
        yield timing
    finally:
        _TIMING.reset(token)
        timing.finish()


# ---- what waits, within bounds ----


@dataclass(frozen=True)
class Counts:
    """What became of the events of this process.

    ``logged == accepted + duplicates + rejected + sum(dropped.values()) + queued``, always.
    """

    logged: int
    """Calls of ``log`` and ``label``."""
    accepted: int
    """Counted by modelmeter."""
    duplicates: int
    """Ignored by modelmeter: their ids were known."""
    rejected: int
    """Refused by modelmeter, each with a reason; the last is in the log."""
    dropped: Mapping[str, int]
    """Never counted, by reason; see docs/client.md."""
    queued: int
    """Waiting, being sent, or held until their request ends."""
    requests: int
    """Requests made."""
    retried: int
    """Requests that repeated an earlier one."""

    @property
    def sent(self) -> int:
        """Events that modelmeter answered for."""
        return self.accepted + self.duplicates + self.rejected


@dataclass(frozen=True)
class _Limits:
    flush_seconds: float
    batch_events: int
    batch_bytes: int
    max_events: int
    max_bytes: int
    timeout_seconds: float
    retry_seconds: float
    exit_seconds: float

    def __post_init__(self) -> None:
        for one in fields(self):
            value, kinds = getattr(self, one.name), (int,) if one.type == "int" else (int, float)
            if type(value) not in kinds or not 0 < value < math.inf:
                what = "a whole number" if kinds == (int,) else "a number"
                raise ValueError(f"{one.name} must be {what} over 0, got {value!r}")
        if self.retry_seconds > LONGEST_RETRY_SECONDS:
            longest = f"at most {LONGEST_RETRY_SECONDS:g}"
            raise ValueError(f"retry_seconds must be {longest}, got {self.retry_seconds!r}")


class _Notices:
    """What went wrong last, by kind; told in the log at most once a minute."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._at = -math.inf

    def note(self, kind: str, text: str) -> bool:
        """Remember what went wrong; return whether nothing else waited to be told."""
        first = not self._texts
        self._texts[kind] = text
        return first

    def due_in(self, now: float) -> float | None:
        """Return the seconds until something is to be told; ``None`` if there is nothing."""
        return max(0.0, self._at + TELL_SECONDS - now) if self._texts else None

    def tell(self, counts: Counts, now: float) -> None:
        if not self._texts or now - self._at < TELL_SECONDS:
            return
        texts, self._texts, self._at = self._texts, {}, now
        what = "; ".join(f"{kind}: {text}" for kind, text in list(texts.items()))
        _log.warning("%s (so far: %s)", what, counts)


class _Buffer:
    """Events on their way, within bounds, and what became of all the others.

    The lock is held for a few microseconds, never while anything is waited for. It is reentrant: a
    signal handler may log in the middle of ``log``.
    """

    def __init__(self, limits: _Limits) -> None:
        self._limits = limits
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._queue: deque[bytes] = deque()
        self._queue_bytes = 0
        self._events = 0
        self._bytes = 0
        self._held = 0
        self._flushing = 0
        self._logged = 0
        self._abandoned = False
        self._answered: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self.notices = _Notices()
        self.orphaned = False
        """Whether it belongs to the parent of this process."""
        self.ends: float | None = None
        """Once it closes: until when it may take."""

    def has_room(self) -> bool:
        """Return whether another event may come; if not, it is counted as dropped."""
        if self.ends is None and self._events < self._limits.max_events:
            return True
        self.drop_new("queue_full" if self.ends is None else "closed", "no event is taken")
        return False

    def drop_new(self, reason: str, text: str) -> None:
        """Count an event that never came in."""
        with self.lock:
            self._logged += 1
            self._dropped[reason] += 1
            if self.notices.note(reason, text):
                self._changed.notify_all()

    def add(self, line: bytes, timing: _Timing | None) -> None:
        """Take an event, or count it as dropped; one of a request waits for the request's end."""
        size, limits = len(line) + EVENT_OVERHEAD, self._limits
        with self.lock:
            if not self.has_room():
                return
            if len(line) > limits.batch_bytes:
                self.drop_new("too_large", f"{len(line)} bytes of {limits.batch_bytes} for a batch")
                return
            if self._bytes + size > limits.max_bytes:
                self.drop_new("queue_full", f"max_bytes is {limits.max_bytes}")
                return
            self._logged += 1
            self._events += 1
            self._bytes += size
            if timing is None:
                self._push(line)
                return
            self._held += 1
        if not timing.hold(self, line):
            self.release(line, timing.seconds or 0.0)

    def release(self, line: bytes, seconds: float) -> None:
        """Queue an event that waited for its latency."""
        if self.orphaned:
            return
        whole = line[:-1] + b',"latency_seconds":%.9g}' % seconds
        with self.lock:
            if self._abandoned:
                return
            self._held -= 1
            self._bytes += len(whole) - len(line)
            self._push(whole)

    def _push(self, line: bytes) -> None:
        limits, before = self._limits, self._queue_bytes
        self._queue.append(line)
        self._queue_bytes += len(line)
        if (
            len(self._queue) in (1, limits.batch_events)
            or before < limits.batch_bytes <= self._queue_bytes
        ):
            self._changed.notify_all()

    def wait(self) -> deque[bytes]:
        """Return all events of the queue once they are worth a request.

        There may be none, when something is to be told and when it is closed.
        """
        with self.lock:
            if not self._queue and self.ends is None:
                self._changed.wait(self.notices.due_in(time.monotonic()))
            if self._queue:
                self._changed.wait_for(self._is_due, self._limits.flush_seconds)
            taken, self._queue, self._queue_bytes = self._queue, deque(), 0
        return taken

    def _is_due(self) -> bool:
        return (
            self.ends is not None
            or self._flushing > 0
            or len(self._queue) >= self._limits.batch_events
            or self._queue_bytes >= self._limits.batch_bytes
        )

    def pause(self, seconds: float, until: float) -> str | None:
        """Wait before another attempt; return why there should be none."""
        with self.lock:
            ends, now = self.ends, time.monotonic()
            if ends is not None and now + seconds > ends:
                return "exit"
            self._changed.wait_for(lambda: self.ends != ends, min(seconds, max(0.0, until - now)))
        return "expired" if time.monotonic() >= until else None

    def is_over(self, now: float) -> bool:
        """Return whether the time to send in is over."""
        return self.ends is not None and now >= self.ends

    def request(self, *, again: bool) -> None:
        """Count a request."""
        self._answered["requests"] += 1
        self._answered["retried"] += again

    def settle(self, lines: Sequence[bytes], counts: Mapping[str, int]) -> None:
        """Count events that were answered for."""
        self._forget(lines, self._answered, counts)

    def drop(self, lines: Sequence[bytes], reason: str, text: str) -> None:
        """Count events that are given up."""
        self.notices.note(reason, text)
        self._forget(lines, self._dropped, {reason: len(lines)})

    def _forget(
        self, lines: Sequence[bytes], where: Counter[str], counts: Mapping[str, int]
    ) -> None:
        size = sum(map(len, lines)) + EVENT_OVERHEAD * len(lines)
        with self.lock:
            if self._abandoned:
                return
            self._events -= len(lines)
            self._bytes -= size
            where.update(counts)
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Have all that waits sent now; return whether all was answered for or given up in time."""
        with self.lock:
            self._flushing += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: self._events <= self._held, seconds)
            finally:
                self._flushing -= 1

    def close(self, ends: float) -> None:
        """Take no more events, and let what waits be sent until ``ends``."""
        with self.lock:
            self.ends = ends if self.ends is None else self.ends
            self._changed.notify_all()

    def abandon(self) -> None:
        """Give up whatever is left."""
        with self.lock:
            if self._events:
                self._dropped["exit"] += self._events
                self._events = self._bytes = self._held = 0
            self._abandoned = True
            self._queue.clear()
            self._changed.notify_all()

    def counts(self) -> Counts:
        """Return what became of all events so far."""
        with self.lock:
            names = ("accepted", "duplicates", "rejected", "requests", "retried")
            answered = {name: self._answered[name] for name in names}
            return Counts(
                logged=self._logged, queued=self._events, dropped=dict(self._dropped), **answered
            )


# ---- the server, and one request to it ----


@dataclass(frozen=True)
class _Access:
    """Who a client says it is, and whom it trusts. Files are read again when they may be others."""

    token: str | None = field(default=None, repr=False)
    token_file: str | None = None
    user: str | None = field(default=None, repr=False)
    user_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None

    def __post_init__(self) -> None:
        ways = (self.token, self.token_file, self.user, self.user_file)
        if sum(way is not None for way in ways) > 1:
            raise ValueError("only one of token, token_file, user and user_file may be given")
        self._checked(self.token, "token")
        if self.user is not None and ":" not in self.user:
            raise ValueError("user must be name:password")

    def header(self) -> dict[str, str]:
        """Return the header that names the sender. Raises OSError and ValueError of its file."""
        if (token := self._secret(self.token, self.token_file, "token")) is not None:
            return {"Authorization": f"Bearer {token}"}
        if (user := self._secret(self.user, self.user_file, "user")) is not None:
            return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}
        return {}

    def context(self) -> ssl.SSLContext:
        """Return what connections over TLS are made with. Raises OSError."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def _secret(self, text: str | None, path: str | None, kind: str) -> str | None:
        if path is None:
            return text
        with open(path, encoding="utf-8") as file:
            found = file.read(65536).strip()
        return self._checked(found, f"{kind}_file") if kind == "token" else found

    @staticmethod
    def _checked(token: str | None, name: str) -> str | None:
        """Return a token that a header can hold; the error does not show it."""
        if token is not None and not (token and all("!" <= letter <= "~" for letter in token)):
            raise ValueError(f"{name} must be visible ASCII without spaces")
        return token


@dataclass(frozen=True)
class _Reply:
    """An answer; status 0 where there was none."""

    status: int
    problem: str
    body: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float = 0.0

    @property
    def counts(self) -> dict[str, int] | None:
        """Accepted, duplicate and rejected events; ``None`` if it does not tell."""
        names = {"accepted": "accepted", "duplicates": "duplicates", "rejected": "rejected_total"}
        found = {name: self.body.get(key) for name, key in names.items()}
        told = self.status in (200, 422) and all(type(one) is int for one in found.values())
        return cast("dict[str, int]", found) if told else None


class _Server:
    """A modelmeter, over one connection that is kept."""

    def __init__(self, url: str, access: _Access, gzip_bytes: int | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not a URL such as http://localhost:9920: {url!r}")
        if parts.username is not None:
            raise ValueError("a user does not belong into a URL: use user or user_file")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port or (443 if self._secure else 80)
        self._path = parts.path if parts.path.strip("/") else "/v1/events"
        self._path += f"?{parts.query}" if parts.query else ""
        if not all("!" <= letter <= "~" for letter in self._path):
            raise ValueError("the path of a URL must be visible ASCII")
        self._access = access
        if not (gzip_bytes is None or type(gzip_bytes) is int):
            raise ValueError(f"gzip_bytes must be a whole number, got {gzip_bytes!r}")
        near = self._host in ("localhost", "::1") or self._host.startswith("127.")
        self._gzip_bytes = (math.inf if near else GZIP_BYTES) if gzip_bytes is None else gzip_bytes
        self._context: ssl.SSLContext | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._used = 0.0

    def post(self, body: bytes, key: str, seconds: float) -> _Reply:
        """Return the answer to a batch; waits at most ``seconds`` each time that it waits."""
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key}
        if len(body) >= self._gzip_bytes:
            body = gzip.compress(body, 1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        try:
            return self._ask(body, {**headers, **self._access.header()}, seconds)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            if isinstance(error, ssl.SSLError):
                self._context = None  # certificates may have been renewed
            return _Reply(0, _told(error))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, body: bytes, headers: Mapping[str, str], seconds: float) -> _Reply:
        connection = self._connected(seconds)
        connection.request("POST", self._path, body, headers)
        response = connection.getresponse()
        content = response.read(MAX_ANSWER_BYTES)
        if not response.isclosed():  # more than anybody wants to read
            self.close()
        self._used = time.monotonic()
        found: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(content)
        answer = found if isinstance(found, dict) else {}
        told = f"answered {response.status}: {answer.get('error') or response.reason}"[:300]
        return _Reply(response.status, told, answer, _pause_of(response.getheader("Retry-After")))

    def _connected(self, seconds: float) -> http.client.HTTPConnection:
        if self._connection is not None and time.monotonic() - self._used > IDLE_SECONDS:
            self.close()
        if self._connection is None:
            self._connection = self._new()
        self._connection.timeout = seconds
        if self._connection.sock is not None:
            self._connection.sock.settimeout(seconds)
        return self._connection

    def _new(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self._host, self._port)
        self._context = self._context or self._access.context()
        return http.client.HTTPSConnection(self._host, self._port, context=self._context)


def _pause_of(text: str | None) -> float:
    """Return the seconds that ``Retry-After`` asks for, as a number or as a date; 0 for none."""
    if text is None:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return seconds if 0.0 <= seconds < math.inf else 0.0


# ---- the thread that sends ----


class _Sender:
    """Sends what waits, a batch after the other, and tries again what may yet succeed."""

    def __init__(self, buffer: _Buffer, server: _Server, limits: _Limits) -> None:
        self._buffer = buffer
        self._server = server
        self._limits = limits
        self._fits = limits.batch_bytes
        self._wait = FIRST_WAIT_SECONDS
        self._random = random.Random()  # not the model's: its numbers may have to repeat

    def run(self) -> None:
        """Send until the buffer is closed and empty."""
        while (lines := self._buffer.wait()) or self._buffer.ends is None:
            while lines:
                self._deliver(self._batch(lines))
            self._tell(time.monotonic())
        self._tell(math.inf)
        self._server.close()

    def _batch(self, lines: deque[bytes]) -> Sequence[bytes]:
        """Take a batch off ``lines``: at least one event."""
        batch = [lines.popleft()]
        size = len(batch[0])
        while lines and len(batch) < self._limits.batch_events:
            size += 1 + len(lines[0])
            if size > self._fits:
                break
            batch.append(lines.popleft())
        return batch

    def _deliver(self, lines: Sequence[bytes]) -> None:
        """Have a batch answered for; a repeat carries the same key, so it is not counted twice."""
        body, key = b"\n".join(lines), uuid.uuid4().hex
        until, again = time.monotonic() + self._limits.retry_seconds, False
        while not self._buffer.is_over(time.monotonic()):
            reply = self._once(body, key, again=again)
            if reply.counts is not None:
                self._settle(lines, reply, reply.counts)
                return
            if reply.status == 413:
                self._split(lines, len(body))
                return
            why = "refused" if reply.status == 400 else self._pause(reply, until)
            if why is not None:
                self._buffer.drop(lines, why, reply.problem)
                return
            again = True
        self._buffer.drop(lines, "exit", "there was no time left")

    def _once(self, body: bytes, key: str, *, again: bool) -> _Reply:
        seconds = self._limits.timeout_seconds
        if self._buffer.ends is not None:
            seconds = min(seconds, max(0.1, self._buffer.ends - time.monotonic()))
        self._buffer.request(again=again)
        try:
            return self._server.post(body, key, seconds)
        except Exception as error:  # a defect of ours must not end the thread
            self._server.close()
            return _Reply(0, _told(error))

    def _settle(self, lines: Sequence[bytes], reply: _Reply, counts: dict[str, int]) -> None:
        self._wait = FIRST_WAIT_SECONDS
        if counts["rejected"]:
            self._buffer.notices.note("rejected", _first_rejection(reply.body))
        self._buffer.settle(lines, counts)

    def _split(self, lines: Sequence[bytes], size: int) -> None:
        """Send halves of what was too large, and smaller batches from now on."""
        if len(lines) == 1:
            self._buffer.drop(lines, "too_large", f"{size} bytes are too many for the server")
            return
        self._fits = min(self._fits, max(size // 2, SMALLEST_BATCH_BYTES))
        middle = len(lines) // 2
        self._deliver(lines[:middle])
        self._deliver(lines[middle:])

    def _pause(self, reply: _Reply, until: float) -> str | None:
        """Wait longer each time; return why to give up instead."""
        self._buffer.notices.note("retrying", reply.problem)
        self._tell(time.monotonic())
        # Not all model servers at once, when a modelmeter is back.
        seconds = max(reply.retry_after, self._wait * self._random.uniform(0.5, 1.0))
        self._wait = min(2 * self._wait, LONGEST_WAIT_SECONDS)
        return self._buffer.pause(seconds, until)

    def _tell(self, now: float) -> None:
        self._buffer.notices.tell(self._buffer.counts(), now)


def _first_rejection(body: Mapping[str, Any]) -> str:
    listed = body.get("rejected")
    first = listed[0] if isinstance(listed, list) and listed else None
    if not isinstance(first, dict):
        return "without a reason"
    return f"{first.get('field')} {first.get('error')}"[:300]


# ---- the client ----

_Call = TypeVar("_Call", bound=Callable[..., None])


def _never_raises(call: _Call) -> _Call:
    """Have a method count what goes wrong in it as an invalid event; wrong arguments too."""

    @functools.wraps(call)
    def guarded(self: Client, /, *args: Any, **named: Any) -> None:
        try:
            call(self, *args, **named)
        except Exception as error:
            self._buffer.drop_new("invalid", _told(error))
        if self._thread is None:
            self._start()

    return cast("_Call", guarded)


class Client:
    """Logs predictions and labels to the modelmeter at ``url``; one for a process is enough.

    ``model`` and ``version`` are those of predictions that name none. Who it is: ``token``,
    ``token_file``, ``user`` (``name:password``) or ``user_file``. For https, ``ca_file`` vouches
    for the server (default: the system's authorities), ``cert_file`` and ``key_file`` for the
    client. All options: docs/client.md. Raises ValueError for options that cannot work; files are
    opened later, in the background.

    The thread starts with the first event, in each process: clients may be made before a fork.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        version: str | None = None,
        token: str | None = None,
        token_file: str | None = None,
        user: str | None = None,
        user_file: str | None = None,
        ca_file: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        flush_seconds: float = 1.0,
        batch_events: int = 500,
        batch_bytes: int = 1 << 20,
        max_events: int = 20_000,
        max_bytes: int = 16 << 20,
        timeout_seconds: float = 10.0,
        retry_seconds: float = 300.0,
        exit_seconds: float = 2.0,
        gzip_bytes: int | None = None,
    ) -> None:
        self._model, self._version = model, version
        access = _Access(token, token_file, user, user_file, ca_file, cert_file, key_file)
        self._limits = limits = _Limits(
            flush_seconds, batch_events, batch_bytes, max_events, max_bytes,
            timeout_seconds, retry_seconds, exit_seconds,
        )  # fmt: skip
        self._server = functools.partial(_Server, url, access, gzip_bytes)
        self._buffer = _Buffer(limits)
        self._sender = _Sender(self._buffer, self._server(), limits)
        self._thread: threading.Thread | None = None
        self._forked = False
        _CLIENTS.add(self)

    @_never_raises
    def log(
        self,
        model: str | None = None,
        *,
        version: str | None = None,
        id: str | int | None = None,
        score: float | None = None,
        scores: Mapping[Any, float] | None = None,
        prediction: str | bool | float | None = None,
        label: str | bool | float | None = None,
        features: Mapping[str, Any] | None = None,
        segments: Mapping[str, str] | None = None,
        task: str | None = None,
        ts: Any = None,
        latency_seconds: float | None = None,
    ) -> None:
        """Log a prediction, with its label if that is known; docs/http-api.md tells the fields.

        ``ts`` is Unix seconds, RFC 3339 or a datetime, and the time of the call if there is none.
        Without ``latency_seconds`` the latency is that of the request, where the middleware or
        :func:`timed` measures it; the event is then sent when the request ends.
        """
        if self._buffer.has_room():
            event = {
                "model": self._model if model is None else model,
                "version": self._version if version is None else version,
                "id": id, "task": task, "score": score, "scores": scores, "prediction": prediction,
                "label": label, "features": features, "segments": segments,
                "latency_seconds": latency_seconds,
            }  # fmt: skip
            self._add(event, ts, None if latency_seconds is not None else _TIMING.get())

    @_never_raises
    def label(
        self,
        model: str | None = None,
        id: str | int | None = None,
        label: str | bool | float | None = None,
        *,
        version: str | None = None,
        ts: Any = None,
    ) -> None:
        """Log what was true of the prediction ``id``; without ``version``, of every version."""
        if self._buffer.has_room():
            name = self._model if model is None else model
            event = {"model": name, "version": version, "id": id, "label": label}
            self._add(event, ts, None)

    def _add(self, event: Mapping[str, Any], ts: Any, timing: _Timing | None) -> None:
        present = {name: value for name, value in event.items() if value is not None}
        present["ts"] = time.time() if ts is None else _seconds_of(ts)
        self._buffer.add(_line(present), timing)

    def counts(self) -> Counts:
        """Return what became of this process's events so far."""
        return self._buffer.counts()

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait, ``seconds`` at most, until all that was logged is answered for or given up.

        It blocks: from a coroutine, use ``asyncio.to_thread``. Returns whether that came in time.
        """
        return self._buffer.flush(seconds)

    def close(self, seconds: float | None = None) -> None:
        """Send what waits, for ``seconds`` at most (``exit_seconds``), and stop.

        What is left then, and what is logged later, counts as dropped. The exit of the interpreter
        does the same.
        """
        self._begin_to_close(self._limits.exit_seconds if seconds is None else seconds)
        self._end_closing()

    def _begin_to_close(self, seconds: float) -> None:
        self._buffer.close(time.monotonic() + seconds)

    def _end_closing(self) -> None:
        thread, ends = self._thread, self._buffer.ends or 0.0
        if thread is None or not thread.is_alive():
            self._sender.run()  # no thread could be started, or nothing is left
        elif thread is not threading.current_thread():
            thread.join(max(0.0, ends - time.monotonic()))
        self._buffer.abandon()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        """Start the thread; where none can be, what waits is sent by the next try or at the end."""
        with self._buffer.lock:
            if self._thread is not None:
                return
            if self._forked:
                atexit.register(_close_all)  # children of multiprocessing forget their parent's
            self._thread = threading.Thread(target=self._sender.run, name="modelmeter", daemon=True)
            try:
                self._thread.start()
            except Exception as error:
                self._thread = None
                self._buffer.notices.note("thread", _told(error))

    def _after_fork(self) -> None:
        """Begin anew in a child: what waits is the parent's, and locks may be held for ever."""
        self._buffer.orphaned = True
        self._buffer = _Buffer(self._limits)
        self._sender = _Sender(self._buffer, self._server(), self._limits)
        self._thread, self._forked = None, True


_CLIENTS: Final[weakref.WeakSet[Client]] = weakref.WeakSet()


def _close_all() -> None:
    """Send what waits in all clients, in the time of the most patient of them."""
    clients = list(_CLIENTS)
    for client in clients:
        client._begin_to_close(client._limits.exit_seconds)
    for client in clients:
        client._end_closing()


def _renew_all() -> None:
    for client in list(_CLIENTS):
        client._after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)


# ---- middleware ----

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[MutableMapping[str, Any], _Receive, _Send], Awaitable[None]]


class LatencyMiddleware:
    """ASGI middleware: predictions logged during a request get its duration as their latency.

    A request ends with the last byte of its answer (of a stream too), or with an exception. When
    the application shuts down, what waits in all clients is sent: a server that is ended by a
    signal may never come to the interpreter's exit.
    """

    def __init__(self, app: _App) -> None:
        self._app = app

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send
    ) -> None:
        """Pass a connection on."""
        if scope["type"] == "http":
            with timed() as timing:
                await self._app(scope, receive, _ending(send, timing))
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, _flushing(send))
        else:
            await self._app(scope, receive, send)


def _ending(send: _Send, timing: _Timing) -> _Send:
    async def sending(message: _Message) -> None:
        await send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            timing.finish()

    return sending


def _flushing(send: _Send) -> _Send:
    async def sending(message: _Message) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            for client in list(_CLIENTS):
                client.flush(client._limits.exit_seconds)  # nothing else runs any more
        await send(message)

    return sending
