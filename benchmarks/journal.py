"""Where acknowledged events are kept: an append-only file beside SQLite, in one run.

    python -m benchmarks.journal [--quick]

Bodies of 1, 100 and 1000 events (300 bytes each), each on disk before the next: what an answer of
``200`` promises. And the same without waiting for the disk: what survives the end of the process.
The journal lies in the folder where the program is started: that disk is asked about.
"""

from __future__ import annotations

import itertools
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.result import Row, report, show
from exporter.store.folder import Folder

EVENT_BYTES = 300
BATCHES = (1, 100, 1000)
SECONDS = 1.0
ROUNDS = 5

Append = Callable[[bytes], None]


def file(folder: Path, *, sync: bool) -> Iterator[Append]:
    """Our own journal."""
    journal = Folder(folder, sync=sync)
    yield lambda body: journal.append([[body]])
    journal.close()


def sqlite(folder: Path, *, sync: bool) -> Iterator[Append]:
    """SQLite with a write-ahead log, a blob a body."""
    database = sqlite3.connect(folder / "journal.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA synchronous = {'FULL' if sync else 'OFF'}")
    database.execute("CREATE TABLE journal (id INTEGER PRIMARY KEY, body BLOB)")
    yield lambda body: database.execute("INSERT INTO journal (body) VALUES (?)", (body,))
    database.close()


def rate(store: Callable[..., Iterator[Append]], parent: Path, batch: int, *, sync: bool) -> float:
    """Return events a second."""
    body = bytes(EVENT_BYTES * batch)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        opened = store(Path(folder), sync=sync)
        append = next(opened)
        started, done = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - started) < SECONDS and done * len(body) < 2**28:
            append(body)
            done += 1
        next(opened, None)
    return done * batch / elapsed


def rows(quick: bool) -> Iterator[Row]:
    """Yield a row for each size of bodies, with and without waiting for the disk."""
    for sync, batch in itertools.product((True, False), BATCHES):
        show(f"journal: bodies of {batch}")
        found: dict[str, list[float]] = {"file": [], "sqlite": []}
        for _ in range(1 if quick else ROUNDS):
            for store in (file, sqlite):
                found[store.__name__].append(rate(store, Path(), batch, sync=sync))
        ours, theirs = (statistics.median(found[name]) for name in ("file", "sqlite"))
        what = f"journal, {batch} a body, {'on disk before the answer' if sync else 'no waiting'}"
        beside = f"SQLite {theirs:,.0f}, ratio {ours / theirs:.1f}"
        yield Row(what, f"{ours:,.0f} events/s", beside)


if __name__ == "__main__":
    raise SystemExit(report(__doc__, rows))
