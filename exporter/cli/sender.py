"""Posting batches of events to a modelmeter, patiently but not forever."""

import contextlib
import http.client
import json
import math
import ssl
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

TIMEOUT_SECONDS: Final = 60.0
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 10.0
BUSY: Final = (429, 503)


class SendError(Exception):
    """A batch that the server did not take, and why."""


class Reply(NamedTuple):
    """A server's answer: its status and its JSON object (empty when there is none)."""

    status: int
    body: dict[str, Any]
    wait: float | None = None


class Endpoint(NamedTuple):
    """Where a URL leads to."""

    secure: bool
    host: str
    port: int | None
    path: str

    def connection(self, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
        """Return a connection to it, not yet made; ``context`` is for https."""
        if not self.secure:
            return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_SECONDS)
        return http.client.HTTPSConnection(
            self.host, self.port, timeout=TIMEOUT_SECONDS, context=context
        )


def endpoint(url: str) -> Endpoint:
    """Return where a URL leads to; path ``/v1/events`` where it has none.

    Raises ValueError when it is not an http or https URL, or holds a password.
    """
    parts = urlsplit(url)
    if parts.username is not None:
        raise ValueError("a user does not belong into a URL: use --user-file")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not a URL such as http://localhost:9920: {url!r}")
    path = parts.path if parts.path.strip("/") else "/v1/events"
    query = f"?{parts.query}" if parts.query else ""
    return Endpoint(parts.scheme == "https", parts.hostname, parts.port, path + query)


class Sender:
    """Keeps one connection and retries what is worth retrying, for ``patience`` seconds a batch.

    ``clock`` returns monotonic seconds and ``sleep`` waits for some; ``notice`` is told of a wait;
    ``context`` is for https.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        patience: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        notice: Callable[[str], None],
        context: ssl.SSLContext | None = None,
    ) -> None:
        to = endpoint(url)
        self._path = to.path
        self._connection = to.connection(context)
        self._headers = {"Content-Type": "application/x-ndjson", **headers}
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._notice = notice

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def post(self, body: bytes) -> Reply:
        """Return the answer to a batch: 200, 413 or 422. Raises SendError for any other.

        A repeat carries the same key, so a batch whose answer was lost is not counted twice.
        """
        key = uuid.uuid4().hex
        until, wait = self._clock() + self._patience, FIRST_WAIT
        while True:
            try:
                reply = self._once(body, key)
                problem = _said(reply)
            except ssl.SSLCertVerificationError as error:
                raise SendError(f"the server's certificate: {error.verify_message}") from None
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                reply, problem = None, str(error) or type(error).__name__
            if reply is not None and reply.status in (413, 422):
                return reply
            if reply is not None and reply.status == 200:
                if "accepted" not in reply.body:
                    raise SendError(f"{problem} without counts of events: is it a modelmeter?")
                return reply
            if reply is not None and reply.status not in BUSY:
                raise SendError(problem)
            pause = wait if reply is None or reply.wait is None else reply.wait
            if self._clock() + pause > until:
                raise SendError(f"{problem} (gave up after {self._patience:g} s)")
            self._notice(f"{problem}; trying again in {pause:g} s")
            self._sleep(pause)
            wait = min(2 * wait, LONGEST_WAIT)

    def _once(self, body: bytes, key: str) -> Reply:
        headers = {**self._headers, "Idempotency-Key": key}
        self._connection.request("POST", self._path, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        found: Any = None
        with contextlib.suppress(ValueError):
            found = json.loads(content)
        wait = _seconds(response.getheader("Retry-After"))
        return Reply(response.status, found if isinstance(found, dict) else {}, wait)


def _seconds(text: str | None) -> float | None:
    """Return the seconds of a Retry-After header, None when it gives none."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _said(reply: Reply) -> str:
    reason = reply.body.get("error") or http.client.responses.get(reply.status, "")
    return f"the server answered {reply.status}: {reason}"
