"""What stands in on loopback for Slack, PagerDuty and a webhook (one HTTP server), and for mail;
and the example configuration of Alertmanager, sent there."""

import base64
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.deploy.support import ROOT, load


class Posted(NamedTuple):
    """A request: its path, its headers' `Authorization`, its body."""

    path: str
    authorization: str | None
    body: Any


class Mail(NamedTuple):
    """A message, and the user and password that it was sent with."""

    user: str
    password: str
    message: EmailMessage


@contextmanager
def http() -> Iterator[tuple[int, list[Posted]]]:
    """The port of a server that takes JSON, and what it was sent."""
    posted: list[Posted] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posted.append(Posted(self.path, self.headers["Authorization"], body))
            # Slack answers 200, PagerDuty 202.
            self.send_response(202 if self.path == "/pagerduty" else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, posted


@contextmanager
def smtp() -> Iterator[tuple[int, list[Mail]]]:
    """The port of a mail server, and what it took. Speaks what Alertmanager does, without TLS."""
    mails: list[Mail] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            user = password = ""
            self._say("220 ready")
            while line := self.rfile.readline().decode().strip():
                match line.split()[0].upper():
                    case "EHLO":
                        self._say("250-here\r\n250 AUTH PLAIN")
                    case "AUTH":
                        _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                        self._say("235 welcome")
                    case "DATA":
                        self._say("354 go on")
                        message = message_from_string(self._data(), policy=policy.default)
                        assert isinstance(message, EmailMessage)
                        mails.append(Mail(user, password, message))
                        self._say("250 taken")
                    case "QUIT":
                        self._say("221 bye")
                        return
                    case _:
                        self._say("250 good")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def _data(self) -> str:
            lines = []
            while (line := self.rfile.readline().decode()) != ".\r\n":
                lines.append(line)
            return "".join(lines)

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, mails


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def adapted(folder: Path, web: int, mail: int) -> dict[str, Any]:
    """The example with secrets in `folder`, sent to loopback, at any time of the day."""
    secrets = {"slack-url": f"http://127.0.0.1:{web}/slack", "smtp-password": "mail-secret",
               "pagerduty-key": "pager-secret", "webhook-token": "hook-secret"}  # fmt: skip
    for name, value in secrets.items():
        (folder / name).write_text(value)
    text = yaml.safe_dump(load("alertmanager/alertmanager.example.yml"))
    text = text.replace("/etc/alertmanager/secrets/", f"{folder}/")
    text = text.replace("https://hooks.example.com/", f"http://127.0.0.1:{web}/")
    config: dict[str, Any] = yaml.safe_load(text)
    config["global"] |= {
        "smtp_smarthost": f"127.0.0.1:{mail}",
        "smtp_require_tls": False,
        "pagerduty_url": f"http://127.0.0.1:{web}/pagerduty",
    }
    config["templates"] = [str(ROOT / "alertmanager/templates/*.tmpl")]
    _at_any_time(config["route"])
    return config


def _at_any_time(route: dict[str, Any]) -> None:
    route.pop("active_time_intervals", None)
    for below in route.get("routes", ()):
        _at_any_time(below)
