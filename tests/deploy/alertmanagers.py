"""A real Alertmanager on loopback, for the tests of its configuration."""

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.support import program


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Alertmanager:
    """The HTTP interface of a running Alertmanager."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v2"

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path, timeout=5) as answer:
            return json.load(answer)

    def post(self, alerts: list[dict[str, str]], **also: object) -> None:
        body = json.dumps([{"labels": labels, **also} for labels in alerts]).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + "/alerts", body, headers)
        urllib.request.urlopen(request, timeout=5).close()

    def suppressed(self) -> list[dict[str, str]]:
        alerts = self.get("/alerts")
        return [alert["labels"] for alert in alerts if alert["status"]["inhibitedBy"]]


def wait_for(condition, seconds: float = 20.0):
    """What `condition` returns, as soon as it is true; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            got = condition()
        except OSError:
            got = None
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("did not become true in time")


@contextmanager
def running(config: Path, folder: Path) -> Iterator[Alertmanager]:
    """One that is ready; it ends with the context."""
    port = free_port()
    command = [
        program("prometheus-alertmanager", "alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.external-url=http://alertmanager:9093",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
    ]
    with (folder / "log").open("w") as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        there = Alertmanager(port)
        wait_for(lambda: there.get("/status"))
        yield there
    finally:
        child.terminate()
        child.wait(timeout=20)
