"""How long a start takes, and what a snapshot holds up, with many predictions that wait.

    python -m benchmarks.restart [--pending 1000000]

A real server on loopback: filled, killed, started from snapshot and journal; stopped in order, and
started from the snapshot alone. While it is filled, it is scraped as often as it answers.
"""

from __future__ import annotations

import argparse
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
from pathlib import Path

import psutil

HOST = "127.0.0.1"
BATCH = 10_000
ID = "prediction-{:020}"
"""31 characters."""


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
        """Return resident MiB."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

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


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pending", type=int, default=1_000_000)
    pending = parser.parse_args().pending
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", ".")) as name:
        folder = Path(name)
        server = Server(folder)
        print(f"first scrape of an empty service: {server.scraped():.2f} s")
        print(f"memory, idle: {server.memory():.1f} MiB")
        over, took = threading.Event(), [0.0]
        scraper = threading.Thread(target=scrape, args=(server, over, took))
        scraper.start()
        started = time.monotonic()
        fill(server, pending)
        elapsed = time.monotonic() - started
        over.set()
        scraper.join()
        rate, slowest = pending / elapsed, sorted(took)[-3:]
        print(f"{pending} predictions in {elapsed:.1f} s: {rate:,.0f} events/s, journalled")
        print(f"scrapes meanwhile: median {1e3 * statistics.median(took):.0f} ms, slowest", end=" ")
        print(", ".join(f"{1e3 * one:.0f} ms" for one in slowest))
        print(f"memory: {server.memory():.1f} MiB")
        server.end(signal.SIGKILL)
        size = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) / 2**20
        print(f"on disk: {size:.0f} MiB")
        server = Server(folder)
        print(f"first scrape after a kill: {server.scraped():.2f} s")
        print(f"an orderly stop: {server.end(signal.SIGTERM):.2f} s")
        server = Server(folder)
        print(f"first scrape after an orderly stop: {server.scraped():.2f} s")
        print(f"memory: {server.memory():.1f} MiB")
        server.end(signal.SIGTERM)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
