"""Processor time of the server per event, by format, beside a bare ASGI application.

    python -m benchmarks.ingest [--quick]

The bare application reads the body and answers, under the same uvicorn: it is the floor of one
event. That of a batch decodes it too, with the same libraries, and keeps its ids in a dictionary:
what must be done before anything is checked, joined, journalled or counted.
Figures are processor time of the server process, as the operating system counts it; medians of
several runs, each with ids of its own. Predictions wait for their labels, and everything is
journalled, unless a row says otherwise. One event has a second floor, which also has each body on
disk before it answers, those that came together in one write.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import psutil

from benchmarks.result import Row, report, show

FEATURES: Final = 10
BARE: Final = """
import asyncio, concurrent.futures, os, sys, uvicorn, zlib
kept, waiting, writing = {}, [], []
thread = concurrent.futures.ThreadPoolExecutor(1)
def write(bodies):
    os.writev(file, [part for body in bodies for part in (zlib.crc32(body).to_bytes(4), body)])
    os.fdatasync(file)
async def write_all():
    while waiting:
        batch = waiting[:]
        waiting.clear()
        bodies = [body for body, _ in batch]
        await asyncio.get_running_loop().run_in_executor(thread, write, bodies)
        for _, written in batch:
            written.set_result(None)
    writing.clear()
async def journal(body):
    loop = asyncio.get_running_loop()
    written = loop.create_future()
    waiting.append((body, written))
    if not writing:
        writing.append(loop.create_task(write_all()))
    await written
async def app(scope, receive, send):
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message["body"])
        more = message.get("more_body")
    if decode is not None:
        ids = decode(b"".join(parts))
        kept.update(zip(ids, range(len(kept), len(kept) + len(ids))))
    if file is not None:
        await journal(b"".join(parts))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
decode = None
{decode}
file = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT) if len(sys.argv) > 2 else None
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools",
            log_level="critical", access_log=False, lifespan="off")
"""
_ROWS: Final = "import msgspec; read = msgspec.json.Decoder()\ndecode = lambda body: "
DECODED: Final = {
    "one": "",
    "rows": _ROWS + "[row.get('id') for row in read.decode(body)]",
    "NDJSON": _ROWS + "[row.get('id') for row in read.decode_lines(body)]",
    "columns": _ROWS + "read.decode(body)['columns'].get('id', ())",
    "Arrow": """import pyarrow as pa
def decode(body):
    table = pa.ipc.open_stream(body).read_all()
    return table['id'].to_numpy().tolist() if 'id' in table.column_names else ()""",
}
"""What the floor makes of a body of each format: its ids."""


@dataclass(frozen=True)
class Load:
    """Bodies of one format, all of ``size`` events."""

    name: str
    media_type: str
    size: int
    bodies: list[bytes]
    numbers: range
    method: str = "POST"
    path: str = "/v1/events"


@dataclass(frozen=True)
class Aim:
    """What is wanted of a load."""

    ratio: float = 0.0
    """Of the processor time to that of the floor, at most."""
    rate: float = 0.0
    """Events a second and core, at least."""
    why: str = ""


ALONE: Final = (
    "a request alone pays for what a batch shares: its way through the event loop, a frame of the "
    "journal and numpy calls on a few rows; the floor is uvicorn's parsing alone, and having the "
    "body on disk before the answer is most of what the aim leaves, or more"
)
PARSING: Final = (
    "the floor decodes and keeps ids; what is above it are checks of every value, columns of what "
    "came as rows, the join, the fold, and threads that share one interpreter"
)
JOINING: Final = (
    "the floor leaves less than half a microsecond an event, which the join and the fold of "
    "ten features need in the process alone; without ids see the row below"
)
AIMS: Final = {
    "one event": Aim(ratio=1.5, why=ALONE),
    "rows of 1000": Aim(rate=200_000, why=PARSING),
    "columns of 1000": Aim(rate=400_000, why=PARSING),
    "Arrow of 1000": Aim(rate=1_500_000, why=JOINING),
}
"""By the name of a load, as it is shipped."""


CONNECTIONS: Final = 16


def rows(quick: bool) -> Iterator[Row]:
    """Yield a row for each load."""
    for variant in variants():
        show(f"ingest: {variant.name}")
        yield measured(variant, 3000 if quick else 60_000, 1 if quick else 3)


@dataclass(frozen=True)
class Variant:
    """A format, and what is other than as shipped."""

    format: str
    ids: bool = True
    journal: bool = True
    reference: bool = False
    labels: bool = False

    @property
    def kind(self) -> str:
        """Return the format, without the size of a body."""
        return self.format.split()[0]

    @property
    def name(self) -> str:
        """Return how the row is called."""
        other = [] if self.ids else ["without ids"]
        other += [] if self.journal else ["without journal"]
        other += ["with a reference"] if self.reference else []
        other += ["labels that join"] if self.labels else []
        return ", ".join([self.format, *other])


def variants() -> list[Variant]:
    """Return everything that is measured."""
    return [
        Variant("one event"),
        Variant("one event", journal=False),
        Variant("one event", ids=False, journal=False),
        Variant("rows of 1000"),
        Variant("rows of 1000", journal=False),
        Variant("rows of 1000", reference=True),
        Variant("rows of 1000", ids=False),
        Variant("rows of 1000", labels=True),
        Variant("NDJSON of 1000"),
        Variant("columns of 1000"),
        Variant("columns of 1000", reference=True),
        Variant("Arrow of 1000"),
        Variant("Arrow of 1000", ids=False),
        Variant("Arrow of 1000", reference=True),
    ]


def measured(variant: Variant, events: int, runs: int) -> Row:
    """Return what a load costs, beside the floor."""
    events = min(events, 6_000) if variant.format == "one event" else events
    durable = variant == Variant("one event")
    with ExitStack() as stack:
        server = stack.enter_context(modelmeter(journal=variant.journal))
        floors = [stack.enter_context(bare(variant.kind))]
        floors += [stack.enter_context(bare(variant.kind, journal=True))] if durable else []
        found: list[list[float]] = [[] for _ in (server, *floors)]
        asyncio.run(send(server[1], warm(), CONNECTIONS))
        for under in floors:
            asyncio.run(send(under[1], load_of(variant, range(1000)), CONNECTIONS))
        if variant.reference:
            asyncio.run(send(server[1], refer(), 1))
        settle()
        for run in range(runs):
            load = load_of(variant, range(run * events, (run + 1) * events))
            if variant.labels:
                first = load_of(replace(variant, labels=False), load.numbers)
                asyncio.run(send(server[1], first, CONNECTIONS))
                settle()
            for costs, (process, port) in zip(found, (server, *floors), strict=True):
                costs.append(cost(process, port, load) / events)
    return row_of(variant, *map(statistics.median, found))


def row_of(variant: Variant, ours: float, floor: float, durable: float | None = None) -> Row:
    """Return a row; all costs are seconds an event."""
    aim = AIMS.get(variant.name, Aim())
    ratio = ours / floor if floor else math.inf
    figure = f"{ours * 1e6:.2f} us, {1 / ours:,.0f} a second and core"
    beside = f"floor {floor * 1e6:.2f} us, ratio {ratio:.1f}"
    if durable:
        beside += f"; with a journal {durable * 1e6:.2f} us, ratio {ours / durable:.1f}"
    if aim.ratio:
        return Row(variant.name, figure, beside, f"<= {aim.ratio} x", ratio <= aim.ratio, aim.why)
    if aim.rate:
        held = 1 / ours >= aim.rate
        return Row(variant.name, figure, beside, f">= {aim.rate:,.0f}", held, aim.why)
    return Row(variant.name, figure, beside)


def load_of(variant: Variant, numbers: range) -> Load:
    """Return the bodies of events with these numbers."""
    make = label if variant.labels else event
    rows = [make(i) for i in numbers]
    if not variant.ids:
        for row in rows:
            del row["id"]
    size = 1 if variant.kind == "one" else 1000
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    media_type, written = FORMATS[variant.kind]
    return Load(variant.name, media_type, size, [written(one) for one in batches], numbers)


def label(number: int) -> dict[str, Any]:
    """Return the label of a prediction."""
    return {"model": "bench", "version": "1", "id": f"{number:031d}", "label": number % 2}


def refer() -> Load:
    """Return a reference of the model."""
    rows = [event(i) for i in range(5000)]
    for row in rows:
        del row["id"]
    body = json.dumps(rows).encode()
    path = "/v1/reference?model=bench&independent=true"
    return Load("reference", "application/json", 5000, [body], range(0), "PUT", path)


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
    keys = [key for key in ("id", "score") if key in batch[0]]
    table: dict[str, Any] = {key: [row[key] for row in batch] for key in keys}
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


FORMATS: Final[dict[str, tuple[str, Callable[[list[dict[str, Any]]], bytes]]]] = {
    "one": ("application/json", lambda batch: json.dumps(batch[0]).encode()),
    "rows": ("application/json", lambda batch: json.dumps(batch).encode()),
    "NDJSON": ("application/x-ndjson", lambda batch: "\n".join(map(json.dumps, batch)).encode()),
    "columns": ("application/json", lambda batch: json.dumps(columns(batch)).encode()),
    "Arrow": ("application/vnd.apache.arrow.stream", arrow),
}


def warm() -> Load:
    """Return a few bodies that start whatever starts at the first use, with ids of their own."""
    bodies = [json.dumps({**event(i), "id": f"warm-{i}"}).encode() for i in range(50)]
    return Load("warm", "application/json", 1, bodies, range(0))


@contextmanager
def bare(kind: str, *, journal: bool = False) -> Iterator[tuple[psutil.Process, int]]:
    """Run the floor of a format."""
    port = free_port()
    program = BARE.replace("{decode}", DECODED[kind])
    with tempfile.TemporaryDirectory(dir=".") as folder:
        command = [sys.executable, "-c", program, str(port)]
        command += [f"{folder}/journal"] if journal else []
        with running(command, port) as process:
            yield process, port


@contextmanager
def modelmeter(*, journal: bool) -> Iterator[tuple[psutil.Process, int]]:
    """Run modelmeter."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        command = [sys.executable, "-m", "exporter", "serve"]
        command += [f"--data-dir={folder}/state"] if journal else ["--no-persist"]
        command += [f"--web.listen-address=127.0.0.1:{port}"]
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


def cost(process: psutil.Process, port: int, load: Load) -> float:
    """Return the processor seconds that a server spends on ``load``."""
    before = used(process)
    asyncio.run(send(port, load, CONNECTIONS))
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
    head = f"{load.method} {load.path} HTTP/1.1\r\nHost: bench\r\n"
    head += f"Content-Type: {load.media_type}\r\n"
    await asyncio.gather(*(client(port, head, waiting) for _ in range(connections)))


async def client(port: int, head: str, bodies: Iterator[bytes]) -> None:
    """Send bodies one after the other, each when the last is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for body in bodies:
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        while (status := await ask(reader, writer, request)) != "200":
            if status not in {"429", "503"}:
                raise RuntimeError(status)
            await asyncio.sleep(0.05)  # it has no room for now, and says so
    writer.close()
    await writer.wait_closed()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> str:
    """Send a request; return the status of its answer."""
    writer.write(request)
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(answer.split(b"content-length: ")[1].split(b"\r\n")[0]))
    return answer.split()[1].decode()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(report(__doc__, rows))
