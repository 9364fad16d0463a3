"""The demo's programs: how each is started, and when it is ready."""

import dataclasses
import http
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from exporter.demo import settings
from exporter.demo.connection import HOST, Connection
from exporter.demo.processes import Children
from exporter.demo.tools import Tools

READY_TIMEOUT = 60.0

_POLL = 0.1

MODEL_SERVER, MODELMETER = "model-server", "modelmeter"
PROMETHEUS, ALERTMANAGER = "prometheus", "alertmanager"
_READY = {
    MODEL_SERVER: "/healthz",
    MODELMETER: "/-/ready",
    PROMETHEUS: "/-/ready",
    ALERTMANAGER: "/-/ready",
}


class NotReady(Exception):
    """A program that started does not answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stack:
    """Starts the programs of the demo; their files live in `folder`."""

    children: Children
    ports: Mapping[str, int]
    folder: Path
    tools: Tools

    def start(self, stop: threading.Event, webhook_port: int) -> None:
        """Start all and wait until they answer, or until `stop` is set.

        Raises ChildDied and NotReady.
        """
        self._start_model_server()
        self._start_modelmeter()
        self._wait(stop, (MODEL_SERVER, MODELMETER))
        if self.tools.prometheus is not None:
            self._start_prometheus(self.tools.prometheus)
        if self.tools.alertmanager is not None:
            self._start_alertmanager(self.tools.alertmanager, webhook_port)
        self._wait(stop, (PROMETHEUS, ALERTMANAGER))

    def url(self, name: str, path: str = "/") -> str:
        """Return the address of a program."""
        return f"http://{HOST}:{self.ports[name]}{path}"

    def _start_model_server(self) -> None:
        events = self.url(MODELMETER, "/v1/events")
        port = str(self.ports[MODEL_SERVER])
        module = [sys.executable, "-m", "exporter.demo.model_server"]
        self.children.start(MODEL_SERVER, [*module, "--port", port, "--events-url", events])

    def _start_modelmeter(self) -> None:
        file = self._write(MODELMETER, settings.modelmeter(self.ports[MODEL_SERVER]))
        listen = f"--web.listen-address={HOST}:{self.ports[MODELMETER]}"
        module = [sys.executable, "-m", "exporter", "serve"]
        self.children.start(MODELMETER, [*module, "--config", file, listen, "--no-persist"])

    def _start_prometheus(self, program: str) -> None:
        file = self._write(
            PROMETHEUS,
            settings.prometheus(
                self.ports[MODELMETER], self.ports.get(ALERTMANAGER), self._rules()
            ),
        )
        command = [
            program,
            f"--config.file={file}",
            f"--storage.tsdb.path={self.folder / 'prometheus'}",
            f"--web.listen-address={HOST}:{self.ports[PROMETHEUS]}",
            "--log.level=warn",
        ]
        self.children.start(PROMETHEUS, command)

    def _start_alertmanager(self, program: str, webhook_port: int) -> None:
        file = self._write(ALERTMANAGER, settings.alertmanager(webhook_port))
        command = [
            program,
            f"--config.file={file}",
            f"--storage.path={self.folder / 'alertmanager'}",
            f"--web.listen-address={HOST}:{self.ports[ALERTMANAGER]}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]
        self.children.start(ALERTMANAGER, command)

    def _rules(self) -> list[Path]:
        return [
            Path(self._write(f"rules-{file.stem}", settings.impatient(file)))
            for file in settings.shipped_rules()
        ]

    def _write(self, name: str, content: settings.Settings) -> str:
        file = self.folder / f"{name}.yml"
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return str(file)

    def _wait(self, stop: threading.Event, names: Sequence[str]) -> None:
        for name in names:
            if name in self.ports:
                self._wait_for(stop, name)

    def _wait_for(self, stop: threading.Event, name: str) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        connection = Connection(self.ports[name])
        while not (stop.is_set() or _is_ready(connection, _READY[name])):
            self.children.check()
            if time.monotonic() > deadline:
                raise NotReady(f"{name} did not answer within {READY_TIMEOUT:.0f} seconds")
            stop.wait(_POLL)
        connection.close()


def _is_ready(connection: Connection, path: str) -> bool:
    answer = connection.get(path)
    return answer is not None and answer.status == http.HTTPStatus.OK


def environment() -> dict[str, str]:
    """Return this process's environment without what would change the programs' settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MODELMETER_") and name != "WEB_CONCURRENCY"
    }
