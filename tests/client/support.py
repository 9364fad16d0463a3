"""What the tests of the client share: a server that answers as it is told, and one that cuts."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from exporter.client import Counts
from tests.web.support import HOST


@dataclass
class Request:
    at: float
    path: str
    headers: dict[str, str]
    body: bytes

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.body.splitlines()]


Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""
Answering = Callable[[Request], Answer | None]
"""``None``: the connection is cut."""


def taken(request: Request) -> Answer:
    told = {"accepted": len(request.events()), "duplicates": 0, "rejected": [], "rejected_total": 0}
    return 200, {}, json.dumps(told).encode()


def one_by_one(*answers: Answering | Answer | None) -> Answering:
    """Each answer once, then that all is taken."""
    left = list(answers)

    def answer(request: Request) -> Answer | None:
        now = left.pop(0) if left else taken
        return now(request) if callable(now) else now

    return answer


class Scripted:
    """A real HTTP server whose answers are given; it keeps what came."""

    def __init__(self, port: int, requests: list[Request]) -> None:
        self.url = f"http://{HOST}:{port}"
        self.requests = requests

    def events(self) -> list[dict[str, Any]]:
        return [event for request in self.requests for event in request.events()]


@contextmanager
def scripted(answer: Answering = taken) -> Iterator[Scripted]:
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            requests.append(Request(time.monotonic(), self.path, headers, body))
            found = answer(requests[-1])
            if found is None:
                self.close_connection = True
                return
            status, more, content = found
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield Scripted(server.server_address[1], requests)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def adds_up(counts: Counts) -> bool:
    """Whether every event that was logged is somewhere, once."""
    return counts.logged == counts.sent + sum(counts.dropped.values()) + counts.queued
