"""Receives Alertmanager's notifications, as a chat room or a pager would, and prints them.

python -m exporter.demo.webhook --port 9099
"""

import argparse
import dataclasses
import json
import queue
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from exporter.demo import stopping
from exporter.demo.connection import HOST

POLL = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Notification:
    """News of one alert: it fires, or it is resolved."""

    fingerprint: str
    status: str
    name: str
    severity: str
    text: str

    @property
    def is_firing(self) -> bool:
        """Whether the alert fires."""
        return self.status == "firing"

    def __str__(self) -> str:
        # An alert that is over still carries the text of when it fired.
        text = self.text if self.is_firing else f"no longer: {self.text}"
        return f"ALERT {self.status.upper()} ({self.severity}) {self.name}: {text}"


def parse(body: bytes) -> list[Notification]:
    """Return the alerts of a webhook's body (Alertmanager's format, version 4).

    Raises ValueError, KeyError or TypeError when it is something else.
    """
    return [_notification(alert) for alert in json.loads(body)["alerts"]]


def _notification(alert: dict[str, Any]) -> Notification:
    labels, annotations = alert["labels"], alert.get("annotations", {})
    return Notification(
        fingerprint=alert["fingerprint"],
        status=alert["status"],
        name=labels["alertname"],
        severity=labels.get("severity", "none"),
        text=annotations.get("description") or annotations.get("summary", ""),
    )


class Inbox:
    """What was delivered, each change of an alert once, however often it is repeated."""

    def __init__(self) -> None:
        self._news: queue.SimpleQueue[Notification] = queue.SimpleQueue()
        self._status: dict[str, str] = {}
        self.fired = 0
        self.resolved = 0

    @property
    def firing(self) -> int:
        """How many alerts fire at the moment."""
        return self.fired - self.resolved

    def deliver(self, notification: Notification) -> None:
        """Take a notification; may be called from any thread."""
        self._news.put(notification)

    def take(self) -> Iterator[Notification]:
        """Yield what is new since the last call; for one thread."""
        while not self._news.empty():
            news = self._news.get()
            if self._status.get(news.fingerprint, "resolved") != news.status:
                self._status[news.fingerprint] = news.status
                self.fired += news.is_firing
                self.resolved += not news.is_firing
                yield news


class Receiver:
    """An HTTP server that delivers to an inbox, on a free port for port 0; a context manager."""

    def __init__(self, inbox: Inbox, host: str = HOST, port: int = 0) -> None:
        self._server = ThreadingHTTPServer((host, port), _handler(inbox))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="webhook", daemon=True
        )
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(inbox: Inbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                notifications = parse(body)
            except (ValueError, KeyError, TypeError) as error:
                self.send_error(400, f"not a notification: {error!r}")
                return
            for notification in notifications:
                inbox.deliver(notification)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the terminal for the demo."""

    return Handler


def arguments() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(description="Prints Alertmanager's notifications.")
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    return parser


def main() -> None:
    """Print what is delivered, until told to stop."""
    options = arguments().parse_args()
    inbox = Inbox()
    with stopping.on_signals() as stop, Receiver(inbox, options.host, options.port):
        while not stop.wait(POLL):
            for notification in inbox.take():
                print(time.strftime("%H:%M:%S"), notification, flush=True)


if __name__ == "__main__":
    main()
