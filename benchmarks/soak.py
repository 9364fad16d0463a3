"""A modelmeter under load for minutes: memory, errors, and how long scrapes and events take.

    python -m benchmarks.soak              # 10 minutes
    python -m benchmarks.soak --minutes 3
    python -m benchmarks.soak --models 20

A real server on loopback: 200 models, at 80 % of what it took at first; labels come later than
their predictions, the configuration is read anew every 20 seconds, and it is scraped every second.
In the end it is told to stop under load. The status is 1 if an aim was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from benchmarks.ingest import free_port

BATCH: Final = 100
CONNECTIONS: Final = 8
SHARE: Final = 0.8
LATE_SECONDS: Final = 20.0
"""How long after its prediction a label comes."""
RELOAD_SECONDS: Final = 20.0
WINDOWS: Final = ["1m", "90s", "2m"]
FIRST: Final = 1100
"""First events are kept raw until there are a thousand."""
KEPT_IDS: Final = 50_000
SETTLED_SECONDS: Final = 120.0
"""When the memory of a server that has just started has come to rest."""
AIM_SLOPE: Final = 1.0
AIM_SCRAPE: Final = 0.25
AIM_STOP: Final = 5.0
EVENTS: Final = "POST /v1/events HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\n"
SCRAPE: Final = (
    "GET /metrics HTTP/1.1\r\nHost: soak\r\nAccept-Encoding: gzip\r\n"
    "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n\r\n"
)
RELOAD: Final = "POST /-/reload HTTP/1.1\r\nHost: soak\r\nContent-Length: 0\r\n\r\n"


class Client:
    """One connection that is kept; it is opened again when it has gone."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> int:
        """Return the status that a request is answered with."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**16)
        reader, writer = self._streams
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            size = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(size)
        except BaseException:
            self.close()
            raise
        if b"connection: close" in head:
            self.close()
        return int(head.split()[1])

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Events:
    """Predictions of many models, and their labels some time later."""

    def __init__(self, models: int, late_seconds: float) -> None:
        self._random = random.Random(1)
        self._models = [f"model-{i}" for i in range(models)]
        self._late = late_seconds
        self._number = itertools.count()
        self._waiting: deque[tuple[float, list[dict[str, Any]]]] = deque()

    def body(self, now: float) -> bytes:
        """Return a request with labels that are due, or else with new predictions."""
        if self._waiting and self._waiting[0][0] <= now:
            return post(self._waiting.popleft()[1])
        predictions = [self._prediction() for _ in range(BATCH)]
        labels = [
            {key: one[key] for key in ("model", "version", "id")}
            | {"label": int(self._random.random() < one["score"])}
            for one in predictions
        ]
        self._waiting.append((now + self._late, labels))
        return post(predictions)

    def first(self) -> Iterator[bytes]:
        """Give a request a model: so many events that their start is behind them."""
        for model in self._models:
            events = [self._prediction() for _ in range(FIRST)]
            table: dict[str, Any] = {
                key: [one[key] for one in events] for key in ("id", "score", "latency_seconds")
            }
            table["label"] = [int(self._random.random() < score) for score in table["score"]]
            names = events[0]["features"]
            table["features"] = {name: [one["features"][name] for one in events] for name in names}
            yield post({"model": model, "version": "1", "columns": table})

    def _prediction(self) -> dict[str, Any]:
        draw = self._random
        return {
            "model": draw.choice(self._models), "version": "1", "id": f"soak-{next(self._number)}",
            "score": round(draw.random(), 6), "latency_seconds": round(draw.expovariate(20), 6),
            "features": {f"feature{i}": round(draw.gauss(0, 1), 6) for i in range(5)},
        }  # fmt: skip


def post(events: list[dict[str, Any]] | dict[str, Any]) -> bytes:
    """Return a whole request."""
    body = json.dumps(events).encode()
    return f"{EVENTS}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Measured:
    """What was seen of the server."""

    ingest: list[float] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the start, and resident megabytes."""
    events: int = 0
    reloads: int = 0
    errors: Counter[str] = field(default_factory=Counter)


class Soak:
    """A load on a running server."""

    def __init__(self, port: int, process: psutil.Process, events: Events) -> None:
        self.measured = Measured()
        self.started = time.monotonic()
        self._port = port
        self._process = process
        self._events = events

    async def fill(self) -> None:
        """Send every model its first events."""
        client = Client(self._port)
        for request in self._events.first():
            await self._timed("first events", client, request, [])
        client.close()

    async def flat_out(self, seconds: float) -> float:
        """Return how many requests a second the server takes when it is asked as fast as it can."""
        before, end = len(self.measured.ingest), time.monotonic() + seconds
        await self._together(end, [self._sender(end, None)] * CONNECTIONS)
        return (len(self.measured.ingest) - before) / seconds

    async def at(self, rate: float, seconds: float, show: Callable[[float], None]) -> None:
        """Send at a rate, scrape, reload and watch, for so long."""
        self.started = time.monotonic()
        end = self.started + seconds
        beat = itertools.count()
        due: Callable[[], float] = lambda: self.started + next(beat) / rate  # noqa: E731
        senders = [self._sender(end, due)] * CONNECTIONS
        await self._together(end, [*senders, self._scraper(end), self._reloader(end),
                                   self._watcher(end, show)])  # fmt: skip

    async def _together(self, end: float, jobs: list[Callable[[Client], Awaitable[None]]]) -> None:
        clients = [Client(self._port) for _ in jobs]
        try:
            async with asyncio.timeout(end - time.monotonic() + 60):
                await asyncio.gather(*(job(one) for job, one in zip(jobs, clients, strict=True)))
        finally:
            for one in clients:
                one.close()

    def _sender(
        self, end: float, due: Callable[[], float] | None
    ) -> Callable[[Client], Awaitable[None]]:
        async def send(client: Client) -> None:
            while (now := time.monotonic()) < end:
                if due is not None and (wait := due() - now) > 0:
                    await asyncio.sleep(wait)
                request = self._events.body(time.monotonic())
                if await self._timed("ingest", client, request, self.measured.ingest):
                    self.measured.events += BATCH

        return send

    def _scraper(self, end: float) -> Callable[[Client], Awaitable[None]]:
        async def scrape(client: Client) -> None:
            while time.monotonic() < end:
                begun = time.monotonic()
                await self._timed("scrape", client, SCRAPE.encode(), self.measured.scrapes)
                await asyncio.sleep(max(0.0, begun + 1 - time.monotonic()))

        return scrape

    def _reloader(self, end: float) -> Callable[[Client], Awaitable[None]]:
        async def reload(client: Client) -> None:
            while time.monotonic() + RELOAD_SECONDS < end:
                await asyncio.sleep(RELOAD_SECONDS)
                self.measured.reloads += await self._timed("reload", client, RELOAD.encode(), [])

        return reload

    def _watcher(
        self, end: float, show: Callable[[float], None]
    ) -> Callable[[Client], Awaitable[None]]:
        async def watch(client: Client) -> None:
            while (now := time.monotonic()) < end:
                megabytes = self._process.memory_info().rss / 1e6
                self.measured.memory.append((now - self.started, megabytes))
                show(now - self.started)
                await asyncio.sleep(1)

        return watch

    async def _timed(self, what: str, client: Client, request: bytes, times: list[float]) -> bool:
        begun = time.monotonic()
        try:
            status = await client.ask(request)
        except (OSError, EOFError, asyncio.IncompleteReadError) as error:
            self.measured.errors[f"{what}: {type(error).__name__}"] += 1
            await asyncio.sleep(0.1)  # a server that has gone is not asked without a pause
            return False
        times.append(time.monotonic() - begun)
        if status != 200:
            self.measured.errors[f"{what}: {status}"] += 1
        return status == 200

    async def stop_under_load(self, process: subprocess.Popen[bytes]) -> tuple[float, int]:
        """Return the seconds from SIGTERM to the exit, and the exit status."""
        sending = asyncio.create_task(self.flat_out(60))
        await asyncio.sleep(2)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(process.wait, 60)
        seconds = time.monotonic() - begun
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        return seconds, status


def slope(memory: list[tuple[float, float]], settled: float) -> float | None:
    """Return megabytes a minute after ``settled`` seconds: the least-squares line."""
    points = np.array([one for one in memory if one[0] >= settled])
    if len(points) < 10:
        return None
    return float(np.polyfit(points[:, 0] / 60, points[:, 1], 1)[0])


def quantile(seconds: list[float], share: float) -> float:
    """Return a quantile of times; infinite where there are none."""
    return float(np.quantile(seconds, share)) if seconds else float("inf")


@contextmanager
def modelmeter(models: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a server with a configuration that names some of the models, until the block ends."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "modelmeter.yml"
        limits = {"accuracy_ratio": {"min": 0.6}}
        named = [{"name": f"model-{i}", "limits": limits} for i in range(0, models, 10)]
        # Windows and kept ids are full before memory is judged: what grows on after that, leaks.
        settings = {"models": named, "windows": WINDOWS, "join": {"max_pending": KEPT_IDS}}
        config.write_text(json.dumps(settings))
        command = [
            sys.executable, "-m", "exporter", "serve", f"--data-dir={folder}/data",
            f"--config={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
        ]  # fmt: skip
        process = subprocess.Popen(command)
        try:
            asyncio.run(ready(port))
            yield process, port
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)


async def ready(port: int) -> None:
    """Return when the server takes events; raises ``TimeoutError`` after half a minute."""
    request = b"GET /-/ready HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n"
    async with asyncio.timeout(30):
        while True:
            try:
                if await Client(port).ask(request) == 200:
                    return
            except OSError:
                await asyncio.sleep(0.1)


def progress(label: str, seconds: float) -> Callable[[float], None]:
    """Return what shows how far a stretch of ``seconds`` is: a bar, or a line every half minute."""
    told = itertools.count(30, 30)
    following = next(told)

    def show(done: float) -> None:
        nonlocal following
        if sys.stderr.isatty():
            bar = "#" * int(30 * done / seconds)
            text = f"\r{label} [{bar:30}] {done:.0f}/{seconds:.0f} s "
            print(text, end="\n" if done >= seconds - 1 else "", file=sys.stderr, flush=True)
        elif done >= following:
            following = next(told)
            print(f"{label}: {done:.0f} of {seconds:.0f} s", file=sys.stderr, flush=True)

    return show


def judge(measured: Measured, rate: float, settled: float, stop: tuple[float, int]) -> bool:
    """Print what was measured beside the aims; return whether all were met."""
    rising = slope(measured.memory, settled)
    scrape, ingest = ([quantile(times, share) for share in (0.5, 0.99)]
                      for times in (measured.scrapes, measured.ingest))  # fmt: skip
    errors = ", ".join(f"{what} x{count}" for what, count in measured.errors.items())
    rows: list[tuple[str, str, str, bool]] = [
        ("load, events/s", f"{rate * BATCH:,.0f} asked", "", True),
        ("events counted", f"{measured.events:,}", "", True),
        ("memory at the end, MB", f"{measured.memory[-1][1]:.1f}", "", True),
        ("memory, MB a minute", "too short" if rising is None else f"{rising:+.2f}",
         f"< {AIM_SLOPE:g}", rising is None or rising < AIM_SLOPE),
        ("errors", errors or "none", "none", not measured.errors),
        ("scrapes, p50 / p99 s", f"{scrape[0]:.3f} / {scrape[1]:.3f}", f"p99 < {AIM_SCRAPE:g}",
         scrape[1] < AIM_SCRAPE),
        ("ingest, p50 / p99 s", f"{ingest[0]:.3f} / {ingest[1]:.3f}", "", True),
        ("reloads", f"{measured.reloads}", "", True),
        ("SIGTERM under load, s", f"{stop[0]:.1f}", f"< {AIM_STOP:g}", stop[0] < AIM_STOP),
        ("exit status", f"{stop[1]}", "0", stop[1] == 0),
    ]  # fmt: skip
    for what, found, aim, met in rows:
        print(f"{what:<26}{found:<24}{aim:<12}{'' if not aim else 'met' if met else 'MISSED'}")
    return all(row[3] for row in rows)


def main() -> int:
    """Measure and print; the status is 1 if an aim was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--capacity-seconds", type=float, default=15.0)
    options = parser.parse_args()
    seconds = 60 * options.minutes
    with modelmeter(options.models) as (process, port):
        events = Events(options.models, LATE_SECONDS)
        soak = Soak(port, psutil.Process(process.pid), events)
        asyncio.run(soak.fill())
        capacity = asyncio.run(soak.flat_out(options.capacity_seconds))
        print(
            f"capacity: {capacity * BATCH:,.0f} events/s in bodies of {BATCH}, nothing else asked"
        )
        soak.measured = Measured(errors=soak.measured.errors)
        rate = SHARE * capacity
        asyncio.run(soak.at(rate, seconds, progress("soak", seconds)))
        measured, soak.measured = soak.measured, Measured()
        stop = asyncio.run(soak.stop_under_load(process))
    return 0 if judge(measured, rate, min(SETTLED_SECONDS, seconds / 2), stop) else 1


if __name__ == "__main__":
    sys.exit(main())
