"""A kept-open HTTP connection that speaks JSON."""

import dataclasses
import http.client
import json
import logging
import urllib.parse
from typing import Self

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
TIMEOUT = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    body: bytes


class Connection:
    """Keeps one connection open and opens it anew after a failure; for one thread."""

    def __init__(self, port: int, host: str = HOST, timeout: float = TIMEOUT) -> None:
        self.port = port
        self._http = http.client.HTTPConnection(host, port, timeout=timeout)

    @classmethod
    def to(cls, url: str) -> Self:
        """Return a connection to the server of an http URL; its path is left out."""
        parts = urllib.parse.urlsplit(url)
        return cls(parts.port or http.client.HTTP_PORT, parts.hostname or HOST)

    def get(self, path: str) -> Answer | None:
        """Return the answer, None when there was none."""
        return self._exchange("GET", path, None, {})

    def post(self, path: str, payload: object) -> Answer | None:
        """Send the payload as JSON; return the answer, None when there was none."""
        body = json.dumps(payload).encode()
        return self._exchange("POST", path, body, {"Content-Type": "application/json"})

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer | None:
        try:
            self._http.request(method, path, body, headers)
            response = self._http.getresponse()
            return Answer(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            log.debug("%s %s: %s", method, path, error)
            return None
