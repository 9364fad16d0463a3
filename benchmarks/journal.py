"""Where acknowledged events are kept: an append-only file beside SQLite, in one run.

    python -m benchmarks.journal [FOLDER]

Bodies of 1, 100 and 1000 events (300 bytes each), each on disk before the next: what an answer of
``200`` promises. And the same without waiting for the disk: what survives the end of the process.
The last column is the ratio to SQLite. The folder should lie on the disk that is asked about.
"""

from __future__ import annotations

import argparse
import itertools
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from exporter.store.folder import Folder

EVENT_BYTES = 300
BATCHES = (1, 100, 1000)
SECONDS = 1.0
ROUNDS = 5

Append = Callable[[bytes], None]


def file(folder: Path, *, sync: bool) -> Iterator[Append]:
    """Our own journal."""
    journal = Folder(folder, sync=sync)
    yield lambda body: journal.append([body])
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


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path())
    parent = parser.parse_args().folder
    print("| on disk before the answer | events a body | file, events/s | SQLite | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for sync, batch in itertools.product((True, False), BATCHES):
        found: dict[str, list[float]] = {"file": [], "sqlite": []}
        for _ in range(ROUNDS):
            for store in (file, sqlite):
                found[store.__name__].append(rate(store, parent, batch, sync=sync))
        ours, theirs = (statistics.median(found[name]) for name in ("file", "sqlite"))
        told = "yes" if sync else "no"
        print(f"| {told} | {batch} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.1f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
