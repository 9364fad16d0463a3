"""A server in a process of its own, whose memory and answers are watched."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.web.support import HOST, Answer, Process

MIB = 2**20
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}
GZIP = {"Content-Encoding": "gzip"}


class Watched(Process):
    """``modelmeter serve``, and the processes that it starts."""

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(HOST, self.port, timeout=240)

    def send(self, body: bytes, headers: dict[str, str], seconds: float) -> Answer:
        """The answer to a body of events, which must come in time."""
        return self._timed("POST", "/v1/events", body, headers, seconds)

    def put(self, body: bytes, headers: dict[str, str], seconds: float) -> Answer:
        """The answer to a reference, which must come in time."""
        return self._timed("PUT", "/v1/reference?model=hostile", body, headers, seconds)

    def _timed(self, method, path, body, headers, seconds) -> Answer:
        start = time.monotonic()
        answer = self.request(method, path, body, headers)
        assert time.monotonic() - start < seconds, f"took {time.monotonic() - start:.1f} s"
        return answer

    @contextmanager
    def children_below(self, most: int) -> Iterator[None]:
        """Fails where the server's children were seen with more than ``most`` bytes resident."""
        seen, done = [0], threading.Event()

        def watch() -> None:
            mine = psutil.Process(self.process.pid)
            while not done.wait(0.02):
                for child in mine.children():
                    try:
                        seen.append(child.memory_info().rss)
                    except psutil.NoSuchProcess:
                        continue

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        assert max(seen) < most, f"{max(seen) / MIB:.0f} MiB"
