"""For how long the event loop is held up by a body, whatever its size.

    python -m benchmarks.loop [--quick]

The application in this process; a task that sleeps for a millisecond again and again notes by how
much it was late. Decoding JSON holds Python's interpreter, on whatever thread it is done: that is
in it.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import uvloop

from benchmarks.local import Local
from benchmarks.result import Row, report, show
from exporter import app
from exporter.config import Settings
from exporter.web.application import build

SIZES = {"one event": (1, 10.0), "64 KiB": (235, 10.0), "256 KiB": (940, 10.0),
         "4 MiB": (15_000, 100.0)}  # fmt: skip
"""Rows of ten features, and the milliseconds that are allowed."""


WHY = (
    "decoding JSON holds the interpreter, whatever thread it is done on; and the machine lets the "
    "process wait now and then, as it does without a body"
)


def rows(quick: bool) -> Iterator[Row]:
    """Yield a row for each size."""
    rng = np.random.default_rng(1)
    for name, (count, most) in SIZES.items():
        show(f"loop: {name}")
        bodies = [written(rng, count) for _ in range(3 if quick else 15)]
        late, idle = uvloop.run(held(bodies))
        figure = f"median {statistics.median(late):.1f} ms, most {max(late):.1f} ms"
        beside = f"without a body most {max(idle):.1f} ms; {len(bodies[0]) / 1024:,.0f} KiB"
        holds = max(late) < most  # it is a bound on every step
        yield Row(f"event loop held by {name}", figure, beside, f"< {most:g} ms", holds, WHY)


def written(rng: np.random.Generator, count: int) -> bytes:
    """Return rows as JSON."""
    table = Local.events(rng, "m", count, 10)["columns"]
    names = list(table["features"])
    features = zip(*table["features"].values(), strict=True)
    rows = [
        {
            "model": "m",
            "score": score,
            "label": label,
            "features": dict(zip(names, some, strict=True)),
        }
        for score, label, some in zip(table["score"], table["label"], features, strict=True)
    ]
    return json.dumps(rows).encode()


async def held(bodies: list[bytes]) -> tuple[list[float], list[float]]:
    """Return by how many milliseconds the loop was late for each body, and as often for none."""
    service = app.create_service(replace(Settings(), persist=False, max_body_bytes=2**23))
    application = build(service)
    async with application.router.lifespan_context(application):
        late = [await _late_by(application, body) for body in bodies]
        return late, [await _late_by(application, None) for _ in bodies]


async def _late_by(application: Any, body: bytes | None) -> float:
    late, over = [0.0], asyncio.Event()

    async def watch() -> None:
        while not over.is_set():
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - start - 0.001)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.05)
    late.clear()
    late.append(0.0)
    if body is not None:
        await _send(application, body)
    await asyncio.sleep(0.15)  # what waits is folded after a tenth of a second
    over.set()
    await watching
    return 1000 * max(late)


async def _send(application: Any, body: bytes) -> None:
    headers = [(b"host", b"bench"), (b"content-type", b"application/json")]
    headers.append((b"content-length", str(len(body)).encode()))
    scope = {
        "type": "http", "asgi": {}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/v1/events", "raw_path": b"/v1/events", "query_string": b"", "root_path": "",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {},
        "extensions": {},
    }  # fmt: skip
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
    statuses = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status"))

    await application(scope, receive, send)
    if statuses[0] != 200:
        raise RuntimeError(statuses)


if __name__ == "__main__":
    sys.exit(report(__doc__, rows))
