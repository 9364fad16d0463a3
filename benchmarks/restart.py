"""How long a start takes, and what a snapshot holds up, with many predictions that wait.

    python -m benchmarks.restart [--quick]

A real server on loopback: filled, killed, started from snapshot and journal; stopped in order, and
started from the snapshot alone. While it is filled, it is scraped as often as it answers.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.result import Row, report, show

HOST = "127.0.0.1"
BATCH = 10_000
ID = "prediction-{:020}"
"""31 characters."""


TESTS = (
    "the environment of the tests has what FastAPI and numpy import where it is there "
    "(OpenTelemetry, charset_normalizer): 1.2 MB"
)


class Server:
    """``modelmeter serve`` with its state in a folder."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server((HOST, 0)) as found:
            self.port = found.getsockname()[1]
        command = [sys.executable, "-m", "exporter", "serve", "--data-dir", str(folder)]
        command += [f"--web.listen-address={HOST}:{self.port}", "--log.level=error"]
        self.started = time.monotonic()
        self.process = subprocess.Popen(command)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=120)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def scraped(self) -> float:
        """Return the seconds from the start to the first scrape."""
        while True:
            try:
                if self.ask("GET", "/metrics")[0] == http.HTTPStatus.OK:
                    return time.monotonic() - self.started
            except OSError:
                pass
            if self.process.poll() is not None:
                raise SystemExit("the server ended")
            time.sleep(0.01)

    def memory(self) -> float:
        """Return resident megabytes."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6

    def end(self, number: int) -> float:
        """Send a signal; return the seconds until the process has ended."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(120)
        return time.monotonic() - started


def fill(server: Server, pending: int) -> None:
    """Send predictions without labels."""
    for start in range(0, pending, BATCH):
        ids = [ID.format(i) for i in range(start, min(start + BATCH, pending))]
        columns = {"id": ids, "score": [0.5] * len(ids)}
        body = json.dumps({"model": "m", "columns": columns}).encode()
        status, answer = server.ask("POST", "/v1/events", body)
        if status != http.HTTPStatus.OK:
            raise SystemExit(answer.decode())


def scrape(server: Server, over: threading.Event, took: list[float]) -> None:
    """Scrape until it is over; note how long each took."""
    while not over.is_set():
        started = time.monotonic()
        server.ask("GET", "/metrics")
        took.append(time.monotonic() - started)
        over.wait(0.02)


def rows(quick: bool) -> Iterator[Row]:
    """Yield what was seen of a server's life."""
    pending = 20_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", ".")) as name:
        folder = Path(name)
        show("restart: an empty service")
        server = Server(folder)
        yield under("start to first scrape", server.scraped(), 1.5, " s")
        idle = server.memory()
        yield under("memory, idle", idle, 90, " MB", why=TESTS)
        show(f"restart: {pending:,} predictions")
        yield from filled(server, pending, idle)
        server.end(signal.SIGKILL)
        size = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) / 1e6
        server = Server(folder)
        what = f"kill -9 to first scrape, {pending:,} waiting"
        yield under(what, server.scraped(), 10, " s", f"{size:.0f} MB on disk")
        yield Row("an orderly stop", f"{server.end(signal.SIGTERM):.2f} s")
        server = Server(folder)
        yield Row("first scrape after it", f"{server.scraped():.2f} s")
        server.end(signal.SIGTERM)


def under(what: str, figure: float, most: float, unit: str, beside: str = "", why: str = "") -> Row:
    """Return a row of a figure that should be below another."""
    return Row(what, f"{figure:.2f}{unit}", beside, f"< {most:g}{unit}", figure < most, why)


def filled(server: Server, pending: int, idle: float) -> Iterator[Row]:
    """Send predictions and scrape meanwhile."""
    over, took = threading.Event(), [0.0]
    scraper = threading.Thread(target=scrape, args=(server, over, took))
    scraper.start()
    started = time.monotonic()
    fill(server, pending)
    elapsed = time.monotonic() - started
    over.set()
    scraper.join()
    yield Row("columns of 10 000, journalled, over HTTP", f"{pending / elapsed:,.0f} events/s")
    yield Row(
        "scrapes meanwhile",
        f"median {1e3 * statistics.median(took):.0f} ms, slowest {1e3 * max(took):.0f} ms",
    )
    each = (server.memory() - idle) / pending * 1e6
    yield under("memory of a prediction that waits, all included", each, 200, " bytes")


if __name__ == "__main__":
    raise SystemExit(report(__doc__, rows))
