"""CPU of the server per event, by format, beside a bare ASGI application in the same run.

    python -m benchmarks.ingest [--events 60000] [--connections 16]

The bare application only reads the body and answers, under the same uvicorn: it is the floor.
Figures are processor time of the server process, as the operating system counts it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import psutil

FEATURES: Final = 10
BARE: Final = """
import sys, uvicorn
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools",
            log_level="critical", access_log=False, lifespan="off")
"""


@dataclass(frozen=True)
class Load:
    """Bodies of one format, all of ``size`` events."""

    name: str
    media_type: str
    size: int
    bodies: list[bytes]


def main() -> None:
    """Print a row for each format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    print(f"{'body':<24}{'events/s and core':>18}{'us/event':>10}{'floor':>8}{'ratio':>8}")
    for number, load in enumerate(loads(options.events)):
        show(f"building {load.name}")
        with bare() as floor, modelmeter() as server:
            for _, port in (floor, server):
                asyncio.run(send(port, warm(number), options.connections))
                settle()
            costs = [cost(*one, load, options.connections) for one in (floor, server)]
        sent = load.size * len(load.bodies)
        floor_us, us = (seconds / sent * 1e6 for seconds in costs)
        show("")
        # The system counts in hundredths of a second: a floor under one is shown as none.
        ratio = f"{us / floor_us:.1f}" if floor_us else "-"
        print(f"{load.name:<24}{1e6 / us:>18,.0f}{us:>10.2f}{floor_us:>8.2f}{ratio:>8}")


def loads(events: int) -> Iterator[Load]:
    """Return the formats, one after the other: the bodies of all together are large."""
    singles = min(events, 6_000)
    rows = [event(i) for i in range(events)]
    batches = [rows[i : i + 1000] for i in range(0, events, 1000)]
    one = [json.dumps(row).encode() for row in rows[:singles]]
    yield Load("one event", "application/json", 1, one)
    yield Load("rows of 1000", "application/json", 1000, [json.dumps(b).encode() for b in batches])
    lines = ["\n".join(map(json.dumps, batch)).encode() for batch in batches]
    yield Load("NDJSON of 1000", "application/x-ndjson", 1000, lines)
    tables = [json.dumps(columns(batch)).encode() for batch in batches]
    yield Load("columns of 1000", "application/json", 1000, tables)
    streams = [arrow(batch) for batch in batches]
    yield Load("Arrow of 1000", "application/vnd.apache.arrow.stream", 1000, streams)


def event(number: int) -> dict[str, Any]:
    """Return a prediction with an id of 31 characters and ten features."""
    random = Random(number)
    features = {f"feature{i}": random.gauss(0, 1) for i in range(FEATURES)}
    return {
        "model": "bench", "version": "1", "id": f"{number:031d}", "score": random.random(),
        "features": features,
    }  # fmt: skip


def columns(batch: list[dict[str, Any]]) -> dict[str, Any]:
    """Return rows as columns."""
    names = batch[0]["features"]
    table: dict[str, Any] = {key: [row[key] for row in batch] for key in ("id", "score")}
    table["features"] = {name: [row["features"][name] for row in batch] for name in names}
    return {"model": "bench", "version": "1", "columns": table}


def arrow(batch: list[dict[str, Any]]) -> bytes:
    """Return rows as an Arrow stream."""
    import pyarrow as pa  # noqa: PLC0415 - only this format needs it

    table = columns(batch)["columns"]
    named = {f"features.{name}": values for name, values in table.pop("features").items()}
    same = {key: pa.array([batch[0][key]] * len(batch)).dictionary_encode()
            for key in ("model", "version")}  # fmt: skip
    whole = pa.table({**same, **table, **named})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    return bytes(sink.getvalue())


def warm(number: int) -> Load:
    """Return a few bodies that start whatever starts at the first use, with ids of their own."""
    bodies = [json.dumps({**event(i), "id": f"warm-{number}-{i}"}).encode() for i in range(50)]
    return Load("warm", "application/json", 1, bodies)


@contextmanager
def bare() -> Iterator[tuple[psutil.Process, int]]:
    """Run the floor."""
    port = free_port()
    with running([sys.executable, "-c", BARE, str(port)], port) as process:
        yield process, port


@contextmanager
def modelmeter() -> Iterator[tuple[psutil.Process, int]]:
    """Run modelmeter."""
    port = free_port()
    address = f"--web.listen-address=127.0.0.1:{port}"
    command = [sys.executable, "-m", "exporter", "serve", "--no-persist", address]
    with running(command, port) as process:
        yield process, port


@contextmanager
def running(command: list[str], port: int) -> Iterator[psutil.Process]:
    """Run a server until the end of the block."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def cost(process: psutil.Process, port: int, load: Load, connections: int) -> float:
    """Return the processor seconds that a server spends on ``load``."""
    before = used(process)
    asyncio.run(send(port, load, connections))
    settle()
    return used(process) - before


def used(process: psutil.Process) -> float:
    """Return the processor seconds of a process."""
    times = process.cpu_times()
    return times.user + times.system


def settle() -> None:
    """Give the server the tenth of a second after which it folds what waits."""
    time.sleep(0.3)


async def send(port: int, load: Load, connections: int) -> None:
    """Send all bodies over a few connections that are kept open."""
    waiting = iter(load.bodies)
    await asyncio.gather(*(client(port, load.media_type, waiting) for _ in range(connections)))


async def client(port: int, media_type: str, bodies: Iterator[bytes]) -> None:
    """Send bodies one after the other, each when the last is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/events HTTP/1.1\r\nHost: bench\r\nContent-Type: {media_type}\r\n"
    for body in bodies:
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in answer[:20]:
            raise RuntimeError(answer.decode())
        await reader.readexactly(int(answer.split(b"content-length: ")[1].split(b"\r\n")[0]))
    writer.close()
    await writer.wait_closed()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def show(text: str) -> None:
    """Say what is being done, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{text:<60}\r", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
