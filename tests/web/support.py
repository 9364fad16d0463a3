"""What the tests of the service from outside share: servers on free ports, a client, waiting."""

import gzip
import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import uvicorn
import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter import app
from exporter.config import Settings
from exporter.service import Clock, Service
from exporter.web.application import build
from exporter.web.connections import Connections, Limits
from exporter.web.live import WebConfig
from exporter.web.server import Server

HOST = "127.0.0.1"
JSON = {"Content-Type": "application/json"}
DEADLINE = 30
DEFAULTS = Settings()
LIMITS = Limits()


def until(
    condition: Callable[[], Any], what: str = "the condition", seconds: int = DEADLINE
) -> Any:
    """What ``condition`` returns once that is true; it is asked again and again until then."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} never came true"
        time.sleep(0.02)
    return found


def free_port() -> int:
    with socket.create_server((HOST, 0)) as found:
        return int(found.getsockname()[1])


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Speaks HTTP to a server, over TLS where it has a context; a connection for each request."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.context = context
        self.url = f"http{'s' if context else ''}://{HOST}:{port}"

    def connection(self) -> http.client.HTTPConnection:
        if self.context is not None:
            return http.client.HTTPSConnection(HOST, self.port, timeout=60, context=self.context)
        return http.client.HTTPConnection(HOST, self.port, timeout=60)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] = {},
    ) -> Answer:
        connection = self.connection()
        try:
            connection.request(method, path, body, dict(headers))
            return answer_of(connection)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers={k.replace("_", "-"): headers[k] for k in headers})

    def post(self, events: Any, path: str = "/v1/events", **headers: str) -> Answer:
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, body, JSON | more)

    def raw(self, *parts: bytes) -> bytes:
        """Everything that comes back for bytes sent as they are, until the server closes."""
        with socket.create_connection((HOST, self.port), timeout=30) as connection:
            for part in parts:
                connection.sendall(part)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return samples(self.get("/metrics").body.decode())

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics().get((name, frozenset(labels.items())))

    def sum(self, name: str) -> float:
        return sum(value for (one, _), value in self.metrics().items() if one == name)


def answer_of(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of an exposition, as prometheus_client's own parser reads it."""
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}


class Time:
    """A clock that goes when it is told."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self.clock = Clock(lambda: self.now, lambda: self.now)


class Running(Client):
    """The application in a thread of this process."""

    def __init__(self, port: int, service: Service, connections: Connections) -> None:
        super().__init__(port)
        self.service = service
        self.connections = connections


@contextmanager
def running(
    settings: Settings = DEFAULTS,
    body_seconds: float = 30.0,
    clock: Clock | None = None,
    more: Iterable[Any] = (),
    read_settings: Callable[[], Settings] | None = None,
    folder: Path | None = None,
    meanwhile: Callable[[Client], None] = lambda client: None,
    seconds: int = DEADLINE,
    limits: Limits = LIMITS,
    slow_seconds: float = 5.0,
    send_buffer: int | None = None,
    web: WebConfig | None = None,
    **options: Any,
) -> Iterator[Running]:
    """The application under a real uvicorn, in a thread; its state is kept in ``folder``.

    ``meanwhile`` is called before the state is there, which must be so after ``seconds``.
    """
    settings = replace(settings, persist=folder is not None, data_dir=str(folder))
    service = app.create_service(settings, read_settings)
    if clock is not None or more:
        service = Service(settings, clock or service.clock, read_settings, list(more), service.disk)
    connections = Connections(limits, service.requests)
    config = uvicorn.Config(
        build(service, body_seconds, slow_seconds, web),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        **options,
    )
    server = Server(config, connections)
    with socket.create_server((HOST, 0)) as listening:
        if send_buffer is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive(), "the start")
            meanwhile(Client(listening.getsockname()[1]))
            until(lambda: not service.restoring, "the restore", seconds)
            yield Running(listening.getsockname()[1], service, connections)
        finally:
            server.should_exit = True
            thread.join(DEADLINE)
            assert not thread.is_alive()


class Process(Client):
    """``python -m exporter serve`` in a process of its own."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any] | None = None,
        *flags: str,
        context: ssl.SSLContext | None = None,
        data: Path | None = None,
        port: int | None = None,
    ) -> None:
        """``data`` is the folder of the state; without it nothing is kept."""
        super().__init__(port or free_port(), context)
        self.config = folder / "modelmeter.yml"
        self.log_file = folder / "log"
        self.configure(config or {})
        command = [sys.executable, "-m", "exporter", "serve"]
        command += ["--no-persist"] if data is None else ["--data-dir", str(data)]
        command += ["--config", str(self.config), f"--web.listen-address={HOST}:{self.port}"]
        command += flags
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            until(self.is_ready, "readiness")
        except BaseException:
            self.end()
            raise

    def configure(self, config: Mapping[str, Any]) -> None:
        self.config.write_text(yaml.safe_dump(dict(config)))

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            return self.get("/-/ready").status == 200
        except OSError:
            return False

    def log(self) -> str:
        return self.log_file.read_text()

    def memory(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def most_memory(self) -> int:
        """The most bytes that were ever resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)


def zipped(body: bytes) -> bytes:
    return gzip.compress(body, 1, mtime=0)
