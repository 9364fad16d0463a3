"""What the demo's tests share."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psutil


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Return when the condition holds; fail when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Say whether a process lives: one that waits to be collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Events:
    """A real server that takes events; it answers with the statuses of `answers`, then 200."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.answers: list[int] = []
        self.url = ""

    @property
    def all(self) -> list[dict[str, Any]]:
        return [event for batch in list(self.batches) for event in batch]

    def answer(self, body: bytes) -> int:
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.batches.append(json.loads(body))
        return status


@contextmanager
def events_server() -> Iterator[Events]:
    """Run a server for events on a free port."""
    events = Events()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status = events.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    events.url = f"http://127.0.0.1:{server.server_address[1]}/v1/events"
    try:
        yield events
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
